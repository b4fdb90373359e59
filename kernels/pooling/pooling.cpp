// Pooling on the cpu: the channels of a block fill a vector; gradients are gathered row by row.
#include "kernels/pooling/pooling.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "kernels/device/cpu_loops.h"
#include "kernels/pooling/plane_tiling.h"
#include "kernels/pooling/window.h"

namespace preceptor::kernels {
namespace {

// The channels of a block at one position. Comparisons of Values give Indices with all bits set where true.
template <int block>
struct Position {
  using Values [[gnu::vector_size(block * sizeof(float))]] = float;
  using Indices [[gnu::vector_size(block * sizeof(std::int32_t))]] = std::int32_t;
  using Bytes [[gnu::vector_size(block)]] = std::uint8_t;
};

template <class Vector, class T>
Vector load(const T* from) {
  Vector values;
  std::memcpy(&values, from, sizeof values);
  return values;
}

// Outputs whose window covers row (or column) `in`.
template <class Arguments>
Range outputs_over(const Arguments& a, int in, int out_size) {
  const int last = in + a.padding, first = last - a.window + 1;
  return {first > 0 ? (first + a.stride - 1) / a.stride : 0, std::min(last / a.stride + 1, out_size)};
}

// Calls function(block as a type, image, channel block) for all planes of a map, in parallel when worth it.
template <class T, class Function>
void for_each_plane(const FeatureMap<T>& map, [[maybe_unused]] std::size_t values, const Function& function) {
  const int blocks = map.channel_blocks();
  specialize_block(map.block, [&](auto block) {
#pragma omp parallel for schedule(static) if (worth_threads(values))
    for (int task = 0; task < map.images * blocks; ++task) function(block, task / blocks, task % blocks);
  });
}

template <class T>
std::size_t winner_offset(const FeatureMap<T>& y, int image, int channel_block) {
  return (static_cast<std::size_t>(image) * y.channels + static_cast<std::size_t>(channel_block) * y.block) * y.plane();
}

template <int block>
void max_plane(const MaxPoolForward<float>& a, const float* x, float* y, std::uint8_t* winner) {
  using Values = typename Position<block>::Values;
  using Indices = typename Position<block>::Indices;
  using Bytes = typename Position<block>::Bytes;
  const int width = a.x.width;
  for (int out_row = 0; out_row < a.y.height; ++out_row) {
    const Range rows = inputs_under(a, out_row, a.x.height);
    for (int out_column = 0; out_column < a.y.width; ++out_column, y += block) {
      const Range columns = inputs_under(a, out_column, width);
      const int window_row = out_row * a.stride - a.padding, window_column = out_column * a.stride - a.padding;
      Values best = Values{} - std::numeric_limits<float>::infinity();
      Indices first = Indices{} + ((rows.begin - window_row) * a.window + columns.begin - window_column);
      for (int row = rows.begin; row < rows.end; ++row)
        for (int column = columns.begin; column < columns.end; ++column) {
          const auto value = load<Values>(x + (static_cast<std::ptrdiff_t>(row) * width + column) * block);
          const Indices better = (value > best) | (value != value);
          best = better ? value : best;
          first = better ? Indices{} + ((row - window_row) * a.window + column - window_column) : first;
        }
      std::memcpy(y, &best, sizeof best);
      if (!winner) continue;
      const Bytes bytes = __builtin_convertvector(first, Bytes);
      std::memcpy(winner, &bytes, sizeof bytes);
      winner += block;
    }
  }
}

// The gradient of one row of x, from the rows of y whose windows cover it. The row stays in L1 while it is summed, and
// no position needs a division to find its windows.
template <int block>
void max_gradient_row(const MaxPoolBackward<float>& a, const float* d_y, const std::uint8_t* winner, int row,
                      float* d_x) {
  using Values = typename Position<block>::Values;
  using Indices = typename Position<block>::Indices;
  using Bytes = typename Position<block>::Bytes;
  std::fill_n(d_x, a.d_x.width * block, 0.0f);
  const Range out_rows = outputs_over(a, row, a.d_y.height);
  for (int out_row = out_rows.begin; out_row < out_rows.end; ++out_row) {
    const int first_position = (row + a.padding - out_row * a.stride) * a.window;
    for (int out_column = 0; out_column < a.d_y.width; ++out_column) {
      const std::ptrdiff_t at = (static_cast<std::ptrdiff_t>(out_row) * a.d_y.width + out_column) * block;
      const auto value = load<Values>(d_y + at);
      const Indices won = __builtin_convertvector(load<Bytes>(winner + at), Indices) - first_position;
      const Range columns = inputs_under(a, out_column, a.d_x.width);
      const int window_column = out_column * a.stride - a.padding;
      for (int column = columns.begin; column < columns.end; ++column) {
        float* target = d_x + static_cast<std::ptrdiff_t>(column) * block;
        const Values sum = load<Values>(target) + (won == column - window_column ? value : Values{});
        std::memcpy(target, &sum, sizeof sum);
      }
    }
  }
}

template <int block>
void average_plane(const AveragePoolForward<float>& a, const float* x, float* y) {
  using Values = typename Position<block>::Values;
  for (int out_row = 0; out_row < a.y.height; ++out_row) {
    const Range rows = inputs_under(a, out_row, a.x.height);
    for (int out_column = 0; out_column < a.y.width; ++out_column, y += block) {
      const Range columns = inputs_under(a, out_column, a.x.width);
      Values sum = {};
      for (int row = rows.begin; row < rows.end; ++row)
        for (int column = columns.begin; column < columns.end; ++column)
          sum += load<Values>(x + (static_cast<std::ptrdiff_t>(row) * a.x.width + column) * block);
      sum *= average_weight(a, rows, columns);
      std::memcpy(y, &sum, sizeof sum);
    }
  }
}

// As max_gradient_row.
template <int block>
void average_gradient_row(const AveragePoolBackward<float>& a, const float* d_y, int row, float* d_x) {
  using Values = typename Position<block>::Values;
  std::fill_n(d_x, a.d_x.width * block, 0.0f);
  const Range out_rows = outputs_over(a, row, a.d_y.height);
  for (int out_row = out_rows.begin; out_row < out_rows.end; ++out_row) {
    const Range rows = inputs_under(a, out_row, a.d_x.height);
    for (int out_column = 0; out_column < a.d_y.width; ++out_column) {
      const Range columns = inputs_under(a, out_column, a.d_x.width);
      const auto value = load<Values>(d_y + (static_cast<std::ptrdiff_t>(out_row) * a.d_y.width + out_column) * block) *
                         average_weight(a, rows, columns);
      for (int column = columns.begin; column < columns.end; ++column) {
        float* target = d_x + static_cast<std::ptrdiff_t>(column) * block;
        const Values sum = load<Values>(target) + value;
        std::memcpy(target, &sum, sizeof sum);
      }
    }
  }
}

}  // namespace

// mapping: a thread per (image, channel block), a vector of channels; bytes: x read, y and winner written; operations:
// one comparison per window position; hazard: >, so the first maximum wins; a NaN wins over everything, as in torch.
void run_on(Cpu, const MaxPoolForward<float>& a) {
  for_each_plane(a.y, a.x.elements(), [&](auto block, int image, int channel_block) {
    std::uint8_t* winner = a.winner ? a.winner + winner_offset(a.y, image, channel_block) : nullptr;
    max_plane<block()>(a, a.x.block_data(image, channel_block), a.y.block_data(image, channel_block), winner);
  });
}

// mapping: as forward; every row of d_x is gathered from the windows over it, so memory is written once; bytes: d_y and
// winner read, d_x written; operations: 2 per input and window over it.
void run_on(Cpu, const MaxPoolBackward<float>& a) {
  for_each_plane(a.d_x, a.d_x.elements(), [&](auto block, int image, int channel_block) {
    const float* d_y = a.d_y.block_data(image, channel_block);
    const std::uint8_t* winner = a.winner + winner_offset(a.d_y, image, channel_block);
    float* d_x = a.d_x.block_data(image, channel_block);
    for (int row = 0; row < a.d_x.height; ++row, d_x += a.d_x.width * block)
      max_gradient_row<block()>(a, d_y, winner, row, d_x);
  });
}

// mapping: a thread per (image, channel block), a vector of channels; bytes: x read, y written; operations: one
// addition per window position.
void run_on(Cpu, const AveragePoolForward<float>& a) {
  for_each_plane(a.y, a.x.elements(), [&](auto block, int image, int channel_block) {
    average_plane<block()>(a, a.x.block_data(image, channel_block), a.y.block_data(image, channel_block));
  });
}

// mapping: as MaxPoolBackward; bytes: d_y read, d_x written; operations: 2 per input and window over it.
void run_on(Cpu, const AveragePoolBackward<float>& a) {
  for_each_plane(a.d_x, a.d_x.elements(), [&](auto block, int image, int channel_block) {
    const float* d_y = a.d_y.block_data(image, channel_block);
    float* d_x = a.d_x.block_data(image, channel_block);
    for (int row = 0; row < a.d_x.height; ++row, d_x += a.d_x.width * block)
      average_gradient_row<block()>(a, d_y, row, d_x);
  });
}

// mapping: a thread per (image, channel block), chunks of 64 values along the plane; bytes: x read;
// operations: 1 per element.
void run_on(Cpu, const GlobalAveragePoolForward<float>& a) {
  for_each_plane(a.x, a.x.elements(), [&](auto block, int image, int channel_block) {
    const float* x = a.x.block_data(image, channel_block);
    float sums[chunk_size] = {};
    for_each_group(a.x.plane() * block, [&](int i, auto count) {
#pragma omp simd
      for (int j = 0; j < count; ++j) sums[j] += x[i + j];
    });
    double by_channel[block()] = {};
    fold_chunk<block()>(sums, by_channel);
    float* y = a.y + static_cast<std::size_t>(image) * a.x.channels + channel_block * block;
    for (int i = 0; i < block; ++i) y[i] = static_cast<float>(by_channel[i] / a.x.plane());
  });
}

// mapping: a thread per (image, channel block); bytes: d_x written; operations: none per element.
void run_on(Cpu, const GlobalAveragePoolBackward<float>& a) {
  for_each_plane(a.d_x, a.d_x.elements(), [&](auto block, int image, int channel_block) {
    const float* d_y = a.d_y + static_cast<std::size_t>(image) * a.d_x.channels + channel_block * block;
    float by_channel[block()], tiled[chunk_size];
    for (int i = 0; i < block; ++i) by_channel[i] = d_y[i] / static_cast<float>(a.d_x.plane());
    tile_chunk<block()>(by_channel, tiled);
    float* d_x = a.d_x.block_data(image, channel_block);
    for_each_group(a.d_x.plane() * block, [&](int i, auto count) { std::copy_n(tiled, int{count}, d_x + i); });
  });
}

template <class T>
std::size_t workspace_bytes(const GlobalAveragePoolForward<T>& a, const Device& device) {
  if (device.kind == DeviceKind::cpu) return 0;
  // Alignment decides between two ways; the larger need covers both.
  const auto bytes = [&](int width) {
    return PlaneTiling(a.x.images, a.x.plane(), a.x.channels, width).workspace_bytes();
  };
  return std::max(bytes(1), bytes(16 / sizeof(T)));
}

INSTANTIATE_WORKSPACE_BYTES(GlobalAveragePoolForward);

}  // namespace preceptor::kernels
