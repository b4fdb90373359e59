// d_weight = d_y^T x and d_bias, for linear layers, where x is a matrix, and convolutions, where it is the
// patches of a map.
#pragma once

#include "kernels/device/split_k.h"
#include "kernels/device/tile_product.cuh"
#include "kernels/device/tile_source.cuh"

namespace preceptor::kernels {

// Partial results of a slice: [rows][columns] values, and one for every row of d_bias.
struct WeightSums {
  float* weight;
  float* bias;  // nullptr: none
  int rows, columns;
  bool whole;  // columns are stored by fours
};

// mapping: a tile of d_weight a block, over its slice of the depth (pixels, or rows of the batch), which is the tile
// product's; d_bias is one more column, of an x that is 1; bytes: x once for every 32 to 128 rows of d_weight, d_y
// once for every 64 or 128 columns, d_weight once for every slice; operations: 2 per product; hazard: slices have to be
// added in one order, so none is added to another's memory here.
template <class Tile, class A, class B>
__global__ void __launch_bounds__(Tile::threads, resident_blocks<Tile>)
    multiply_transposed(const ByColumns<A> d_y, const ByColumns<WithOnes<B>> x, const WeightSums to, SplitK split) {
  const int columns = to.columns + (to.bias ? 1 : 0), tiles = static_cast<int>(steps(columns, Tile::columns));
  const int tile = static_cast<int>(blockIdx.x), slice = static_cast<int>(blockIdx.y);
  const int first_row = tile / tiles * Tile::rows, first_column = tile % tiles * Tile::columns;
  Accumulators sum = {};
  multiply_tile<Tile>(d_y, x, first_row, first_column, split.begin(slice), split.begin(slice + 1), sum);

  const TilePlace<Tile> place(first_row, first_column);
  float* const weight = to.weight + slice * split.values;
#pragma unroll
  for (int i = 0; i < thread_tile; ++i) {
    const int row = place.row_of(i);
    if (row >= to.rows) continue;
#pragma unroll
    for (int half = 0; half < thread_tile; half += 4) {
      const int column = place.column_of(half);
      const float values[4] = {sum[i][half], sum[i][half + 1], sum[i][half + 2], sum[i][half + 3]};
      if (column < to.columns)
        store_columns(weight + static_cast<std::int64_t>(row) * to.columns + column, to.columns - column, to.whole,
                      values);
#pragma unroll
      for (int j = 0; j < 4; ++j)
        if (to.bias && column + j == to.columns) to.bias[slice * split.values + row] = values[j];
    }
  }
}

// mapping: a block takes 32 neighboring values; each of its warps adds up every `groups`-th share, then the first adds
// up the warps' sums; bytes: the partial results read, the gradients written; operations: one per partial value.
template <int groups>
__global__ void __launch_bounds__(groups* warp_size)
    add_slices(const float* partial, SplitK split, float* weight, std::int64_t weights, float* bias,
               std::int64_t values) {
  SHARED(float, by_group, [groups][warp_size]);
  const int lane = static_cast<int>(threadIdx.x) % warp_size, group = static_cast<int>(threadIdx.x) / warp_size;
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * warp_size + lane;
  float sum = 0;
  if (at < values)
#pragma unroll 4
    for (int slice = group; slice < split.slices; slice += groups) sum += partial[slice * split.values + at];
  by_group[group][lane] = sum;
  __syncthreads();
  if (group > 0 || at >= values) return;
  for (int other = 1; other < groups; ++other) sum += by_group[other][lane];
  (at < weights ? weight[at] : bias[at - weights]) = sum;
}

// d_weight [rows][columns] = d_y^T x, d_bias [rows] = the sum of d_y over the depth; either may be nullptr, for which x
// has no columns then. `split` is for rows and all columns; the workspace has its bytes.
template <class Tile, class Group, class T, class B>
void launch_weight_gradient(Gpu gpu, const Matrix<Group, T>& d_y, const B& x, float* d_weight, float* d_bias,
                            const SplitK& split, void* workspace) {
  const int rows = d_y.columns;
  const std::int64_t weights = static_cast<std::int64_t>(rows) * x.columns, values = weights + (d_bias ? rows : 0);
  float* const partial = static_cast<float*>(workspace);
  WeightSums to{d_weight, d_bias, rows, x.columns, stores_fours(d_weight, x.columns, x.columns)};
  if (split.slices > 1) {
    to.weight = partial;
    to.bias = d_bias ? partial + weights : nullptr;
    to.whole = x.columns % 4 == 0;
  }
  const std::int64_t tiles = steps(rows, Tile::rows) * steps(x.columns + (d_bias ? 1 : 0), Tile::columns);
  launch(gpu, multiply_transposed<Tile, Matrix<Group, T>, B>, dim3(tiles, split.slices), Tile::threads, 0,
         ByColumns<Matrix<Group, T>>{d_y}, ByColumns<WithOnes<B>>{{x, d_bias != nullptr}}, to, split);
  if (split.slices > 1)
    launch(gpu, add_slices<8>, steps(values, warp_size), 8 * warp_size, 0, partial, split, d_weight, weights, d_bias,
           values);
}

}  // namespace preceptor::kernels
