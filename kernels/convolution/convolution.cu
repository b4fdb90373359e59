// Convolution on cuda and emulated: three tile products (tile_product.cuh) over matrices of which only the weights and
// the maps are in memory (patches.cuh). README.md says which.
#include "kernels/convolution/convolution.h"

#include <cassert>

#include "kernels/convolution/fastest.h"
#include "kernels/convolution/patches.cuh"
#include "kernels/convolution/shapes.h"
#include "kernels/convolution/statistics.cuh"
#include "kernels/device/channels_last.cuh"
#include "kernels/device/tile_epilogue.cuh"
#include "kernels/device/weight_gradient.cuh"

namespace preceptor::kernels {
namespace {

// Stores what the sums of a thread give and, where they are wanted, the statistics of the tile's pixels
// as they are stored.
template <class Tile, class T>
__device__ void store_outputs(const Epilogue<T>& to, const TilePlace<Tile>& place, int row_tile, int first_channel,
                              float* statistics, Accumulators& sum) {
  store_tile(to, place, sum);
  if (statistics)
    write_statistics(sum, place, to.rows, to.columns, first_channel,
                     partial_statistics(statistics, to.columns, row_tile));
}

// mapping: a tile of pixels and output channels a block, over its slice of the depth (tap, input channel); tiles of the
// same pixels are neighbors in the grid, so that x comes from memory once; bytes: x once for every 32 or 64 output
// channels and tap, but from L2 after the first, the weights once for every 64 or 128 pixels, y written once, or a
// float of it for every slice; operations: 2 per product; hazard: the statistics have to be those of y as stored, and
// the blocks' are kept apart until all are known.
template <class Tile, class Group, class T, bool affine>
__global__ void __launch_bounds__(Tile::threads, resident_blocks<Tile>)
    forward(const ByRows<Patches<Group, T, affine>> x, const ByRows<Matrix<Group, T>> weight, const Slices slices,
            const Epilogue<T> to, float* statistics) {
  const int tiles = static_cast<int>(steps(to.columns, Tile::columns)), slice = static_cast<int>(blockIdx.y);
  const int row_tile = static_cast<int>(blockIdx.x) / tiles;
  const int first_row = row_tile * Tile::rows, first_column = static_cast<int>(blockIdx.x) % tiles * Tile::columns;
  const TilePlace<Tile> place(first_row, first_column);
  Accumulators sum = {};
  multiply_tile<Tile>(x, weight, first_row, first_column, slices.begin(slice), slices.begin(slice + 1), sum);
  if (slices.divided())
    slices.keep(slice, place, sum);
  else
    store_outputs(to, place, row_tile, first_column, statistics, sum);
}

// mapping: a tile of pixels and output channels a warp; bytes: all partial results read, y written; operations: one for
// every partial result; hazard: as above, and slices are added in their order.
using FinishShape = TileShape<smallest_tile, 32, float>;
template <class T>
__global__ void __launch_bounds__(FinishShape::threads)
    finish_with_statistics(const Slices slices, const Epilogue<T> to, float* statistics) {
  const int tiles = static_cast<int>(steps(to.columns, FinishShape::columns));
  const int row_tile = static_cast<int>(blockIdx.x) / tiles;
  const int first_column = static_cast<int>(blockIdx.x) % tiles * FinishShape::columns;
  const TilePlace<FinishShape> place(row_tile * FinishShape::rows, first_column);
  Accumulators sum = {};
  for (int slice = 0; slice < slices.count(); ++slice) slices.add(slice, place, sum);
  store_outputs(to, place, row_tile, first_column, statistics, sum);
}

// mapping: a tile of input pixels of one residue class and of input channels a block, over its slice of the depth (tap,
// output channel); bytes: d_y once for every 32 or 64 input channels and tap, from L2 after the first, the weights
// once for every 64 or 128 pixels, d_x written once, or a float of it for every slice; operations: 2 per product;
// hazard: pixels that no tap reaches are zero.
template <class Tile, class Group, class T>
__global__ void __launch_bounds__(Tile::threads, resident_blocks<Tile>)
    data_gradient(const ConvolutionDataGradient<T> a, const Slices slices, const Epilogue<T> to) {
  const ResidueClass pixels(a.geometry, a.d_x.height, a.d_x.width, static_cast<int>(blockIdx.y));
  const int rows = a.d_x.images * pixels.height * pixels.width, slice = static_cast<int>(blockIdx.z);
  const int tiles = static_cast<int>(steps(to.columns, Tile::columns));
  const int first_row = static_cast<int>(blockIdx.x) / tiles * Tile::rows;
  const int first_column = static_cast<int>(blockIdx.x) % tiles * Tile::columns;
  if (first_row >= rows) return;  // the grid is that of the largest class

  const TilePlace<Tile> place(first_row, first_column);
  Accumulators sum = {};
  if (pixels.tap_rows > 0 && pixels.tap_columns > 0) {
    const Window window{pixels.tap_rows, pixels.tap_columns, 1, pixels.origin_y, pixels.origin_x, -1};
    const ByRows<Patches<Group, T, false>> d_y{{a.d_y, {}, pixels.height, pixels.width, window}};
    const ByColumns<TapWeights<Group, T>> weight{{a.weight, a.d_y.channels, to.columns, a.geometry, pixels}};
    const int end = min(slices.begin(slice + 1), d_y.source.columns);
    multiply_tile<Tile>(d_y, weight, first_row, first_column, slices.begin(slice), end, sum);
  }
  if (slices.divided()) return slices.keep(slice, place, sum);  // one class: its rows are the pixels

  const FastDivmod height(pixels.height), width(pixels.width);
  const auto pixel_of = [&](int row) {
    const int line = width.quotient(row), image = height.quotient(line);
    const int y = pixels.first_y + (line - image * pixels.height) * a.geometry.stride;
    const int x = pixels.first_x + (row - line * pixels.width) * a.geometry.stride;
    return (image * a.d_x.height + y) * a.d_x.width + x;
  };
  store_tile(to, place, rows, pixel_of, sum);
}

// mapping: a weight a thread; bytes: all read and written once, in the order in which they
// are written; operations: none.
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
  return kernels::stores_fours(map.data, map.channels, map.channel_stride);
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

template <class Operand, class T>
void run_with(Gpu gpu, const ConvolutionForward<T>& a) {
  const int pixels = pixels_of(a.y), channels = a.y.channels;
  const bool whole = stores_fours(a.y) && (!a.residual.data || stores_fours(a.residual));
  const bool groups = rows_aligned(a.x) && loads_groups(a.weight, a.x.channels) && aligned(a.input);
  const Epilogue<T> y{a.y.data,        a.y.channel_stride,        pixels, channels, whole, a.bias,
                      a.residual.data, a.residual.channel_stride, a.relu};
  float* const statistics = a.statistics ? static_cast<float*>(a.workspace) : nullptr;
  const Slices slices(split_k(a), static_cast<std::byte*>(a.workspace) + statistics_bytes(a), y);
  with_group<T>(groups, [&](auto group) {
    using Group = decltype(group);
    with_patches<Group, T>(a.x, a.y, a.input, a.geometry, [&](const auto& x) {
      constexpr bool affine = std::is_same_v<std::decay_t<decltype(x)>, Patches<Group, T, true>>;
      with_shape<Group, Operand>(pixels, channels, 1, [&](auto shape) {
        using Tile = decltype(shape);
        const std::int64_t row_tiles = steps(pixels, Tile::rows), tiles = steps(channels, Tile::columns);
        const Matrix<Group, T> weight{a.weight, channels, x.columns, x.columns};
        launch(gpu, forward<Tile, Group, T, affine>, dim3(row_tiles * tiles, slices.count()), Tile::threads, 0,
               ByRows<Patches<Group, T, affine>>{x}, ByRows<Matrix<Group, T>>{weight}, slices, y, statistics);
        if (statistics && !slices.divided()) launch_merge_statistics(gpu, a, static_cast<int>(row_tiles), Tile::rows);
      });
    });
  });
  if (!slices.divided()) return;
  if (!statistics) return launch_finish(gpu, slices, y);
  const std::int64_t row_tiles = steps(pixels, FinishShape::rows), tiles = steps(channels, FinishShape::columns);
  launch(gpu, finish_with_statistics<T>, row_tiles * tiles, FinishShape::threads, 0, slices, y, statistics);
  launch_merge_statistics(gpu, a, static_cast<int>(row_tiles), FinishShape::rows);
}

template <class Operand, class T>
void run_with(Gpu gpu, const ConvolutionDataGradient<T>& a) {
  const int stride = a.geometry.stride, channels = a.d_x.channels;
  const int rows = static_cast<int>(a.d_x.images * steps(a.d_x.height, stride) * steps(a.d_x.width, stride));
  const bool aligned = rows_aligned(a.d_y) && loads_groups(a.weight, channels);
  const Epilogue<T> d_x{a.d_x.data, a.d_x.channel_stride, pixels_of(a.d_x), channels, stores_fours(a.d_x)};
  const Slices slices(split_k(a), a.workspace, d_x);
  with_group<T>(aligned, [&](auto group) {
    using Group = decltype(group);
    with_shape<Group, Operand>(rows, channels, stride * stride, [&](auto shape) {
      using Tile = decltype(shape);
      const dim3 grid(steps(rows, Tile::rows) * steps(channels, Tile::columns), stride * stride, slices.count());
      launch(gpu, data_gradient<Tile, Group, T>, grid, Tile::threads, 0, a, slices, d_x);
    });
  });
  if (slices.divided()) launch_finish(gpu, slices, d_x);
}

template <class Operand, class T>
void run_with(Gpu gpu, const ConvolutionWeightGradient<T>& a) {
  const int pixels = pixels_of(a.d_y), channels = a.d_y.channels;
  const bool groups = rows_aligned(a.x, a.d_y) && aligned(a.input);
  with_group<T>(groups, [&](auto group) {
    using Group = decltype(group);
    const Matrix<Group, T> d_y{a.d_y.data, pixels, channels, a.d_y.channel_stride};
    with_patches<Group, T>(a.x, a.d_y, a.input, a.geometry, [&](const auto& x) {
      const auto launch_with = [&](auto shape) {
        launch_weight_gradient<decltype(shape)>(gpu, d_y, x, a.d_weight, a.d_bias, split_k(a), a.workspace);
      };
      if constexpr (Group::count > 1)
        if (channels <= narrow_columns) return launch_with(TileShape<32, 128, Operand>{});
      channels <= 64 ? launch_with(TileShape<64, 64, Operand>{}) : launch_with(TileShape<128, 64, Operand>{});
    });
  });
}

// With the operands that the arguments ask for.
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

INSTANTIATE_RUN_ON(ConvolutionForward);
INSTANTIATE_RUN_ON(ConvolutionDataGradient);
INSTANTIATE_RUN_ON(ConvolutionWeightGradient);

}  // namespace preceptor::kernels
