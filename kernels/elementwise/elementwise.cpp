// Elementwise operations on the cpu: maps are cut into runs that are contiguous in all of them, runs into pieces.
#include "kernels/elementwise/elementwise.h"

#include <algorithm>

#include "kernels/device/cpu_loops.h"

namespace preceptor::kernels {
namespace {

constexpr std::int64_t piece = 1 << 14;  // values a thread takes at once

// The channels of one image lie together even in a view of a wider map; maps without gaps are one run altogether.
struct Runs {
  std::int64_t count, length;
};

template <class First, class... Maps>
Runs runs_of(const First& first, const Maps&... others) {
  const bool dense = first.channel_stride == first.channels && (... && (others.channel_stride == others.channels));
  const std::int64_t image = static_cast<std::int64_t>(first.channels) * first.plane();
  return dense ? Runs{1, image * first.images} : Runs{first.images, image};
}

// Calls function(run, first value, count) for pieces of all runs, in parallel.
template <class Function>
void for_each_piece(const Runs& runs, const Function& function) {
  const std::int64_t pieces = (runs.length + piece - 1) / piece;
#pragma omp parallel for schedule(static) if (worth_threads(runs.count, runs.length))
  for (std::int64_t task = 0; task < runs.count * pieces; ++task) {
    const std::int64_t begin = task % pieces * piece;
    function(static_cast<int>(task / pieces), begin, static_cast<int>(std::min(piece, runs.length - begin)));
  }
}

}  // namespace

// mapping: pieces of 64 KiB over threads; bytes: x read, y written; operations: 1 per element; hazard: max(x, 0)
// written as max() may turn a NaN into 0, this comparison keeps it.
void run_on(Cpu, const ReluForward<float>& a) {
  for_each_piece(runs_of(a.x, a.y), [&](int image, std::int64_t begin, int count) {
    const float* x = a.x.block_data(image, 0) + begin;
    float* y = a.y.block_data(image, 0) + begin;
#pragma omp simd
    for (int i = 0; i < count; ++i) y[i] = x[i] < 0 ? 0 : x[i];
  });
}

// mapping: as forward; bytes: y, d_y read, d_x written; operations: 1 per element.
void run_on(Cpu, const ReluBackward<float>& a) {
  for_each_piece(runs_of(a.y, a.d_y, a.d_x), [&](int image, std::int64_t begin, int count) {
    const float* y = a.y.block_data(image, 0) + begin;
    const float* d_y = a.d_y.block_data(image, 0) + begin;
    float* d_x = a.d_x.block_data(image, 0) + begin;
#pragma omp simd
    for (int i = 0; i < count; ++i) d_x[i] = where_positive(y[i], d_y[i]);
  });
}

// mapping: pieces of 64 KiB over threads; bytes: x read, y written; operations: 2 per element; hazard: a slope read
// through what the function captures might change with y, so no vector is filled: it is copied inside.
void run_on(Cpu, const LeakyReluForward<float>& a) {
  for_each_piece(runs_of(a.x, a.y), [&](int image, std::int64_t begin, int count) {
    const float slope = a.slope;
    const float* x = a.x.block_data(image, 0) + begin;
    float* y = a.y.block_data(image, 0) + begin;
#pragma omp simd
    for (int i = 0; i < count; ++i) y[i] = x[i] < 0 ? slope * x[i] : x[i];
  });
}

// mapping and hazard: as forward; bytes: y, d_y read, d_x written; operations: 2 per element.
void run_on(Cpu, const LeakyReluBackward<float>& a) {
  for_each_piece(runs_of(a.y, a.d_y, a.d_x), [&](int image, std::int64_t begin, int count) {
    const float slope = a.slope;
    const float* y = a.y.block_data(image, 0) + begin;
    const float* d_y = a.d_y.block_data(image, 0) + begin;
    float* d_x = a.d_x.block_data(image, 0) + begin;
#pragma omp simd
    for (int i = 0; i < count; ++i) d_x[i] = y[i] > 0 ? d_y[i] : slope * d_y[i];
  });
}

// mapping: channel blocks of images over threads; bytes: x read, y written; operations: 1 per element; hazard: as in
// ReluForward, and a margin belongs to a channel of its block.
void run_on(Cpu, const MarginRelu<float>& a) {
  const int blocks = a.x.channel_blocks(), plane = a.x.plane(), block = a.x.block;
#pragma omp parallel for schedule( \
    static) if (worth_threads(a.x.images, static_cast <std::int64_t>(a.x.channels) * plane))
  for (int task = 0; task < a.x.images * blocks; ++task) {
    const float* x = a.x.block_data(task / blocks, task % blocks);
    float* y = a.y.block_data(task / blocks, task % blocks);
    const float* margin = a.margin + task % blocks * block;
    for (int i = 0; i < plane; ++i)
      for (int c = 0; c < block; ++c) {
        const float value = x[i * block + c];
        y[i * block + c] = value < margin[c] ? margin[c] : value;
      }
  }
}

// mapping: pieces of 64 KiB over threads; bytes: a, b read, out written; operations: 1 per element.
void run_on(Cpu, const Add<float>& a) {
  for_each_piece(runs_of(a.a, a.b, a.out), [&](int image, std::int64_t begin, int count) {
    const float* left = a.a.block_data(image, 0) + begin;
    const float* right = a.b.block_data(image, 0) + begin;
    float* out = a.out.block_data(image, 0) + begin;
#pragma omp simd
    for (int i = 0; i < count; ++i) out[i] = left[i] + right[i];
  });
}

// mapping: pieces of 64 KiB over threads; bytes: x read and written; operations: 1 per element.
void run_on(Cpu, const ScaleBy<float>& a) {
  const float factor = *a.factor;
  for_each_piece(Runs{1, a.count}, [&](int, std::int64_t begin, int count) {
    float* x = a.x + begin;
#pragma omp simd
    for (int i = 0; i < count; ++i) x[i] *= factor;
  });
}

// mapping: one thread, the matrix is a batch's logits; bytes: student read, logits written; operations: none.
void run_on(Cpu, const LabelLogits& a) {
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(a.rows) * a.classes; ++i) a.logits[i] = a.logit(i);
}

// mapping: pieces of 64 KiB over threads; bytes: 4 per element written; operations: none.
void run_on(Cpu, const Fill& a) {
  for_each_piece(Runs{1, a.count},
                 [&](int, std::int64_t begin, int count) { std::fill_n(a.to + begin, count, a.value); });
}

// mapping: one thread, the vector is a batch's losses; bytes: 4 per value; operations: 1 per value.
void run_on(Cpu, const AccumulateSum& a) {
  double sum = 0;
  for (int i = 0; i < a.count; ++i) sum += static_cast<double>(a.values[i]);
  *a.total += sum;
}

}  // namespace preceptor::kernels
