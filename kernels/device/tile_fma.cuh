// Tiles whose operands are floats, multiplied by multiply-adds: a thread multiplies 8 x 8 values of every depth, for
// which it reads 4 times 16 bytes.
#pragma once

#include "kernels/device/tile_columns.cuh"
#include "kernels/device/tile_place.cuh"

namespace preceptor::kernels {

constexpr int float_depth = 16;  // of a staged tile: 64 bytes

// Stages an operand whose depth runs over the columns of its source, which lie next to each other: groups of a row are
// turned into columns of the staged tile. A thread keeps its rows, whose coordinates are computed once.
template <class Source, int extent, int threads>
class RowFloats {
 public:
  static constexpr int staged_depth = float_depth, size = staged_depth * extent;

 private:
  static constexpr int width = Source::Group::count;
  static constexpr int groups = staged_depth / width;  // in which a row of the tile is loaded
  static constexpr int together = width == 1 ? 8 : 2;  // lanes side by side in a row: a sector of 32 bytes
  static constexpr int warp_rows = warp_size / together;
  static constexpr int pass_rows = threads / groups;  // that all threads load at once
  static constexpr int passes = extent / pass_rows;
  static_assert(pass_rows % warp_rows == 0 && extent % pass_rows == 0);

 public:
  __device__ RowFloats(const Source& source, int first) {
    const int lane = static_cast<int>(threadIdx.x) % warp_size, warp = static_cast<int>(threadIdx.x) / warp_size;
    constexpr int warps_of_row = groups / together;
    depth_ = (lane % together + warp % warps_of_row * together) * width;
    row_ = lane / together + warp / warps_of_row * warp_rows;
#pragma unroll
    for (int i = 0; i < passes; ++i) rows_[i] = source.row(first + row_ + i * pass_rows);
  }
  // Starts the loads of 16 steps of the depth.
  __device__ void fetch(const Source& source, int depth) {
    column_ = source.column(depth + depth_);
#pragma unroll
    for (int i = 0; i < passes; ++i) staged_[i] = source.load(rows_[i], column_);
  }
  // Writes them to shared memory.
  __device__ void put(const Source& source, float* tile) const {
#pragma unroll
    for (int i = 0; i < passes; ++i) {
      float values[width];
      source.convert(staged_[i], column_, values);
#pragma unroll
      for (int j = 0; j < width; ++j) tile[position(depth_ + j, row_ + i * pass_rows)] = values[j];
    }
  }
  // Where a value lies: rows next to each other, but those of neighboring groups `warp_rows` banks apart, so that the
  // lanes of a warp, which write to different depths, find 32 banks.
  __device__ static int position(int depth, int row) {
    return depth * extent + (row ^ (depth / width % together * warp_rows));
  }

 private:
  int depth_, row_;
  typename Source::Row rows_[passes];
  typename Source::Column column_;
  typename Source::Loaded staged_[passes];
};

// Groups of a row of the source lie in the staged tile as in memory.
template <int width, int extent>
struct FloatColumns {
  __device__ static void put(float* tile, int depth, int column, const float (&values)[width]) {
    if constexpr (width == 1)
      tile[position(depth, column)] = values[0];
    else
#pragma unroll
      for (int j = 0; j < width; j += 4)
        store16(tile + position(depth, column + j),
                Pack<float>{values[j], values[j + 1], values[j + 2], values[j + 3]});
  }
  // A lane that holds 8 values writes them as two groups of 4. Every other 32 words the two change places: then 8 lanes
  // that write every second group find all banks.
  __device__ static int position(int depth, int column) {
    const int linear = depth * extent + column;
    return width == 8 ? linear ^ (linear / 32 % 2 * 4) : linear;
  }
};

// Stages an operand whose depth runs over the rows of its source.
template <class Source, int extent, int threads>
using ColumnFloats =
    ColumnStage<Source, float, FloatColumns<Source::Group::count, extent>, float_depth, extent, threads>;

// sum += staged a times staged b.
template <class Tile, class StageA, class StageB>
__device__ void multiply_floats(const float* a, const float* b, Accumulators& sum) {
  const TilePlace<Tile> own(0, 0);
#pragma unroll 4  // more would keep the addresses of all depths in registers
  for (int depth = 0; depth < StageA::staged_depth; ++depth) {
    float left[thread_tile], right[thread_tile];
#pragma unroll
    for (int half = 0; half < thread_tile; half += 4) {
      const Pack<float> rows = load16(a + StageA::position(depth, own.row_of(half)));
      const Pack<float> columns = load16(b + StageB::position(depth, own.column_of(half)));
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        left[half + j] = rows.value[j];
        right[half + j] = columns.value[j];
      }
    }
#pragma unroll
    for (int i = 0; i < thread_tile; ++i)
#pragma unroll
      for (int j = 0; j < thread_tile; ++j) sum[i][j] = fmaf(left[i], right[j], sum[i][j]);
  }
}

}  // namespace preceptor::kernels
