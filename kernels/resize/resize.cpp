// Resizing on the cpu, and the tables of weights for every device.
#include "kernels/resize/resize.h"

#include <algorithm>
#include <cmath>

#include "kernels/device/cpu_loops.h"

namespace preceptor::kernels {

Axis::Axis(int from, int to, ResizeRule rule) {
  const double step = static_cast<double>(from) / to, reach = std::max(step, 1.0);
  // The inputs of an output under `nearest` and `mean`.
  const auto begin_of = [&](std::int64_t i) { return static_cast<int>(i * from / to); };
  const auto end_of = [&](std::int64_t i) {
    return rule == ResizeRule::mean ? static_cast<int>(((i + 1) * from + to - 1) / to) : begin_of(i) + 1;
  };
  taps = rule == ResizeRule::linear ? std::min(from, static_cast<int>(std::ceil(2 * reach)) + 1) : 1;
  for (int i = 0; rule == ResizeRule::mean && i < to; ++i) taps = std::max(taps, end_of(i) - begin_of(i));
  for (int i = 0; i < to; ++i) {
    const double center = (i + 0.5) * step - 0.5;
    const int start = rule == ResizeRule::linear ? static_cast<int>(std::floor(center - reach)) + 1 : begin_of(i);
    const int begin = std::clamp(start, 0, from - taps);
    std::vector<double> weights;
    double sum = 0;
    for (int j = 0; j < taps; ++j) {
      const int input = begin + j;
      weights.push_back(rule == ResizeRule::linear ? std::max(0.0, 1 - std::abs(input - center) / reach)
                                                   : input >= begin_of(i) && input < end_of(i));
      sum += weights.back();
    }
    first.push_back(begin);
    for (double one : weights) weight.push_back(static_cast<float>(one / sum));
  }
}

Axis Axis::transposed(int from) const {
  const int to = static_cast<int>(first.size());
  // Outputs that an input weighs in; windows move on with their output, so these are neighbors.
  std::vector<int> begin(static_cast<std::size_t>(from), to), end(static_cast<std::size_t>(from), 0);
  for (int i = 0; i < to; ++i)
    for (int j = first[i]; j < first[i] + taps; ++j) {
      begin[j] = std::min(begin[j], i);
      end[j] = i + 1;
    }
  Axis axis;
  axis.taps = 1;
  for (int j = 0; j < from; ++j) axis.taps = std::max(axis.taps, end[j] - begin[j]);
  for (int j = 0; j < from; ++j) {
    axis.first.push_back(std::min(begin[j], to - axis.taps));
    for (int i = axis.first.back(); i < axis.first.back() + axis.taps; ++i) {
      const int tap = j - first[i];
      axis.weight.push_back(tap >= 0 && tap < taps ? weight[i * taps + tap] : 0.0f);
    }
  }
  return axis;
}

namespace {

// A row of a channel block. The rows that it is made of are added up first, then their columns, one tap of all outputs
// after the other: loops as long as a row fill vectors, those over a pixel's three taps do not.
template <int block>
void resize_row(const Resize<float>& a, int image, int channel_block, int row) {
  const int from = a.x.width * block, to = a.y.width, taps = a.column_taps;
  const float* x = a.x.block_data(image, channel_block) + static_cast<std::ptrdiff_t>(a.first_row[row]) * from;
  const float* row_weight = a.row_weight + static_cast<std::ptrdiff_t>(row) * a.row_taps;
  float* const of_rows = scratch<float>(static_cast<std::size_t>(from));
  std::fill_n(of_rows, from, 0.0f);
  for (int i = 0; i < a.row_taps; ++i, x += from)
#pragma omp simd
    for (int c = 0; c < from; ++c) of_rows[c] += row_weight[i] * x[c];

  float* const y = a.y.block_data(image, channel_block) + static_cast<std::ptrdiff_t>(row) * to * block;
  const int* const first = a.first_column;
  std::fill_n(y, static_cast<std::ptrdiff_t>(to) * block, 0.0f);
  for (int j = 0; j < taps; ++j) {
    const float *weight = a.column_weight + j, *pixel = of_rows + static_cast<std::ptrdiff_t>(j) * block;
#pragma omp simd
    for (int column = 0; column < to; ++column)
      for (int c = 0; c < block; ++c) y[column * block + c] += weight[column * taps] * pixel[first[column] * block + c];
  }
}

}  // namespace

// mapping: a thread per row of a channel block of an image; bytes: x read, y written; operations: two per tap of a
// column, and of a row for every input of it.
void run_on(Cpu, const Resize<float>& a) {
  const int rows = a.y.height, blocks = a.y.channel_blocks();
  specialize_block(a.y.block, [&](auto block) {
#pragma omp parallel for schedule( \
    static) if (worth_threads(static_cast <std::int64_t>(a.y.elements()), a.row_taps + a.column_taps))
    for (int task = 0; task < a.y.images * blocks * rows; ++task)
      resize_row<block()>(a, task / rows / blocks, task / rows % blocks, task % rows);
  });
}

}  // namespace preceptor::kernels
