// Convolution on cuda and emulated: three tile products (tile_product.cuh) over matrices of which only the weights and
// the maps are in memory (patches.cuh). README.md says which.
#include "kernels/convolution/convolution.h"

#include <cassert>

#include "kernels/convolution/fastest.h"
#include "kernels/convolution/moments.cuh"
#include "kernels/convolution/patches.cuh"
#include "kernels/convolution/shapes.h"
#include "kernels/device/channels_last.cuh"
#include "kernels/device/weight_gradient.cuh"

namespace preceptor::kernels {
namespace {

// Stores what follows from the sums of a thread, by fours where `whole`. With `keep` the sums become what is stored.
template <class Shape, class T>
__device__ void store_outputs(const ConvolutionForward<T>& a, const TilePlace<Shape>& place, int pixels, bool whole,
                              bool keep, TileSums& sum) {
  const int channels = a.y.channels;
  float bias[thread_tile];
#pragma unroll
  for (int j = 0; j < thread_tile; ++j)
    bias[j] = a.bias && place.column_of(j) < channels ? a.bias[place.column_of(j)] : 0;
#pragma unroll
  for (int i = 0; i < thread_tile; ++i) {
    const int pixel = place.row_of(i);
    if (pixel >= pixels) continue;
#pragma unroll
    for (int half = 0; half < thread_tile; half += 4) {
      const int channel = place.column_of(half);
      if (channel >= channels) continue;
      float residual[4] = {}, values[4];
      if (a.residual.data) load_columns(row_at(a.residual, pixel, channel), channels - channel, whole, residual);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const float value = sum[i][half + j] + bias[half + j] + residual[j];
        values[j] = a.relu && value < 0 ? 0 : value;
        if (keep) sum[i][half + j] = to_float(from_float<T>(values[j]));
      }
      store_columns(row_at(a.y, pixel, channel), channels - channel, whole, values);
    }
  }
}

// mapping: a tile of pixels and output channels a block, the depth (tap, input channel); tiles of the same pixels are
// neighbours in the grid, so that x comes from memory once; bytes: x once for every 32 or 64 output channels and tap,
// but from L2 behind the first, the weights once for every 64 or 128 pixels, y written once; operations: 2 per product;
// hazard: the moments have to be those of y as stored, and the blocks' are kept apart until all are known.
template <class Shape, class Group, class T, bool affine>
__global__ void __launch_bounds__(Shape::threads, resident_blocks<Shape>)
    forward(const ConvolutionForward<T> a, const ByRows<Patches<Group, T, affine>> x,
            const ByRows<Matrix<Group, T>> weight, bool whole) {
  const int tiles = static_cast<int>(steps(a.y.channels, Shape::columns));
  const int row_tile = static_cast<int>(blockIdx.x) / tiles, column_tile = static_cast<int>(blockIdx.x) % tiles;
  const TilePlace<Shape> place(row_tile * Shape::rows, column_tile * Shape::columns);
  TileSums sum = {};
  multiply_tile<Shape>(x, weight, row_tile * Shape::rows, column_tile * Shape::columns, 0, x.source.columns, sum);
  store_outputs(a, place, x.source.rows, whole, a.moments != nullptr, sum);
  if (a.moments)
    write_moments(sum, place, x.source.rows, a.y.channels, column_tile * Shape::columns, partial_moments(a, row_tile));
}

// mapping: a tile of input pixels of one residue class and of input channels a block, the depth (tap, output channel);
// bytes: d_y once for every 32 or 64 input channels and tap, from L2 behind the first, the weights once for every 64 or
// 128 pixels, d_x written once; operations: 2 per product; hazard: pixels that no tap reaches are zero.
template <class Shape, class Group, class T>
__global__ void __launch_bounds__(Shape::threads, resident_blocks<Shape>)
    data_gradient(const ConvolutionDataGradient<T> a, bool whole) {
  const ResidueClass pixels(a.geometry, a.d_x.height, a.d_x.width, static_cast<int>(blockIdx.y));
  const int rows = a.d_x.images * pixels.height * pixels.width, channels = a.d_x.channels;
  const int tiles = static_cast<int>(steps(channels, Shape::columns));
  const int first_row = static_cast<int>(blockIdx.x) / tiles * Shape::rows;
  const int first_column = static_cast<int>(blockIdx.x) % tiles * Shape::columns;
  if (first_row >= rows) return;  // the grid is that of the largest class

  TileSums sum = {};
  if (pixels.tap_rows > 0 && pixels.tap_columns > 0) {
    const Window window{pixels.tap_rows, pixels.tap_columns, 1, pixels.origin_y, pixels.origin_x, -1};
    const ByRows<Patches<Group, T, false>> d_y{{a.d_y, {}, pixels.height, pixels.width, window}};
    const ByColumns<TapWeights<Group, T>> weight{{a.weight, a.d_y.channels, channels, a.geometry, pixels}};
    multiply_tile<Shape>(d_y, weight, first_row, first_column, 0, d_y.source.columns, sum);
  }

  const TilePlace<Shape> place(first_row, first_column);
  const Divisor height(pixels.height), width(pixels.width);
#pragma unroll
  for (int i = 0; i < thread_tile; ++i) {
    const int row = place.row_of(i);
    if (row >= rows) continue;
    const int line = width.quotient(row), image = height.quotient(line);
    const int y = pixels.first_y + (line - image * pixels.height) * a.geometry.stride;
    const int x = pixels.first_x + (row - line * pixels.width) * a.geometry.stride;
    const int pixel = (image * a.d_x.height + y) * a.d_x.width + x;
#pragma unroll
    for (int half = 0; half < thread_tile; half += 4) {
      const int channel = place.column_of(half);
      const float values[4] = {sum[i][half], sum[i][half + 1], sum[i][half + 2], sum[i][half + 3]};
      if (channel < channels) store_columns(row_at(a.d_x, pixel, channel), channels - channel, whole, values);
    }
  }
}

// mapping: a weight a thread; bytes: all read and written once, in the order in which they are written; operations:
// none.
__global__ void reorder(ReorderWeights a) {
  const WeightOrder& to = a.to_order;
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= static_cast<std::int64_t>(to.elements())) return;
  std::int64_t left = at;
  const auto next = [&](int extent) {
    const int index = static_cast<int>(left % extent);
    left /= extent;
    return index;
  };
  const int out_of_block = next(to.out_block), in_of_block = next(to.in_block), x = next(to.width), y = next(to.height);
  const int in = next(to.in_channels / to.in_block) * to.in_block + in_of_block;
  const int out = static_cast<int>(left) * to.out_block + out_of_block;
  a.to[at] = a.from[a.from_order.offset(out, in, y, x)];
}

template <class T>
int pixels_of(const FeatureMap<T>& map) {
  assert(static_cast<std::int64_t>(map.images) * map.plane() < std::int64_t{1} << 30);
  assert(map.height < largest_side && map.width < largest_side);
  return map.images * map.plane();
}

template <class T>
bool stores_fours(const FeatureMap<T>& map) {
  return kernels::stores_fours(map.data, map.channels, map.pitch);
}

bool aligned(const ChannelAffine& input) { return aligned16(input.mean, input.scale, input.offset); }

// Calls launch_for(patches) with the kind of patches that the input needs.
template <class Group, class T, class Launch>
void with_patches(const FeatureMap<const T>& x, const FeatureMap<const T>& y, const ChannelAffine& input,
                  const ConvolutionGeometry& g, const Launch& launch_for) {
  const Window window{g.kernel_height, g.kernel_width, g.stride, -g.padding, -g.padding, 1};
  if (input.scale)
    launch_for(Patches<Group, T, true>(x, input, y.height, y.width, window));
  else
    launch_for(Patches<Group, T, false>(x, input, y.height, y.width, window));
}

template <class Factor, class T>
void run_with(Gpu gpu, const ConvolutionForward<T>& a) {
  const int pixels = pixels_of(a.y), channels = a.y.channels;
  const bool whole = stores_fours(a.y) && (!a.residual.data || stores_fours(a.residual));
  const bool groups = rows_aligned(a.x) && loads_groups(a.weight, a.x.channels) && aligned(a.input);
  with_group<T>(groups, [&](auto group) {
    using Group = decltype(group);
    with_patches<Group, T>(a.x, a.y, a.input, a.geometry, [&](const auto& x) {
      constexpr bool affine = std::is_same_v<std::decay_t<decltype(x)>, Patches<Group, T, true>>;
      with_shape<Group, Factor>(pixels, channels, 1, [&](auto shape) {
        using Shape = decltype(shape);
        const std::int64_t row_tiles = steps(pixels, Shape::rows), tiles = steps(channels, Shape::columns);
        const Matrix<Group, T> weight{a.weight, channels, x.columns, x.columns};
        launch(gpu, forward<Shape, Group, T, affine>, row_tiles * tiles, Shape::threads, 0, a,
               ByRows<Patches<Group, T, affine>>{x}, ByRows<Matrix<Group, T>>{weight}, whole);
        if (a.moments) launch_merge_moments(gpu, a, static_cast<int>(row_tiles), Shape::rows);
      });
    });
  });
}

template <class Factor, class T>
void run_with(Gpu gpu, const ConvolutionDataGradient<T>& a) {
  pixels_of(a.d_x);
  const int stride = a.geometry.stride, channels = a.d_x.channels;
  const int rows = static_cast<int>(a.d_x.images * steps(a.d_x.height, stride) * steps(a.d_x.width, stride));
  const bool aligned = rows_aligned(a.d_y) && loads_groups(a.weight, channels);
  with_group<T>(aligned, [&](auto group) {
    using Group = decltype(group);
    with_shape<Group, Factor>(rows, channels, stride * stride, [&](auto shape) {
      using Shape = decltype(shape);
      const dim3 grid(steps(rows, Shape::rows) * steps(channels, Shape::columns), stride * stride);
      launch(gpu, data_gradient<Shape, Group, T>, grid, Shape::threads, 0, a, stores_fours(a.d_x));
    });
  });
}

template <class Factor, class T>
void run_with(Gpu gpu, const ConvolutionWeightGradient<T>& a) {
  const int pixels = pixels_of(a.d_y), channels = a.d_y.channels;
  const bool groups = rows_aligned(a.x, a.d_y) && aligned(a.input);
  with_group<T>(groups, [&](auto group) {
    using Group = decltype(group);
    const Matrix<Group, T> d_y{a.d_y.data, pixels, channels, a.d_y.pitch};
    with_patches<Group, T>(a.x, a.d_y, a.input, a.geometry, [&](const auto& x) {
      const auto launch_with = [&](auto shape) {
        launch_weight_gradient<decltype(shape)>(gpu, d_y, x, a.d_weight, a.d_bias, depth_split(a), a.workspace);
      };
      if constexpr (Group::count > 1 && std::is_same_v<Factor, float>)
        if (channels <= 32) return launch_with(TileShape<32, 128, Factor>{});
      channels <= 64 ? launch_with(TileShape<64, 64, Factor>{}) : launch_with(TileShape<128, 64, Factor>{});
    });
  });
}

// With the factors that the arguments ask for.
template <template <class> class Family, class T>
void run_own(Gpu gpu, const Family<T>& a) {
  if constexpr (std::is_same_v<T, float>)
    if (a.tf32) return run_with<tf32>(gpu, a);
  run_with<T>(gpu, a);
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const ConvolutionForward<T>& a) {
  run_fastest(gpu, a, run_own<ConvolutionForward, T>);
}
template <class T>
void run_on(Gpu gpu, const ConvolutionDataGradient<T>& a) {
  run_fastest(gpu, a, run_own<ConvolutionDataGradient, T>);
}
template <class T>
void run_on(Gpu gpu, const ConvolutionWeightGradient<T>& a) {
  run_fastest(gpu, a, run_own<ConvolutionWeightGradient, T>);
}

void run_on(Gpu gpu, const ReorderWeights& a) {
  constexpr int threads = 256;
  launch(gpu, reorder, steps(static_cast<std::int64_t>(a.to_order.elements()), threads), threads, 0, a);
}

template void run_on(Gpu, const ConvolutionForward<float>&);
template void run_on(Gpu, const ConvolutionForward<bfloat16>&);
template void run_on(Gpu, const ConvolutionDataGradient<float>&);
template void run_on(Gpu, const ConvolutionDataGradient<bfloat16>&);
template void run_on(Gpu, const ConvolutionWeightGradient<float>&);
template void run_on(Gpu, const ConvolutionWeightGradient<bfloat16>&);

}  // namespace preceptor::kernels
