// The product of two matrices, tile by tile: what linear layers and all directions of a convolution compute.
//
//   sum[row][column] = sum over depth of a(row, depth) b(depth, column)
//
// The operands are sources (tile_source.cuh): matrices in memory, or what a convolution makes look like one. A block
// takes one tile of the result. Its threads bring 16 steps of the depth of both operands at a time to shared memory, as
// floats, and each multiplies 8 x 8 of them there: 4 reads of 16 bytes for 64 multiply-adds. Two buffers alternate, so
// the loads of the next tile are on their way while this one is multiplied, and one barrier a tile is enough.
#pragma once

#include "kernels/device/group.cuh"

namespace preceptor::kernels {

constexpr int tile_depth = 16;  // that are staged at a time
constexpr int thread_tile = 8;  // rows and columns of the result that a thread sums

template <int rows_, int columns_>
struct TileShape {
  static constexpr int rows = rows_, columns = columns_;
  static constexpr int lanes = columns / thread_tile;  // threads side by side in a row
  static constexpr int threads = rows / thread_tile * lanes;
};

// Blocks that a multiprocessor must hold at least: 8 warps. A thread may then take 255 registers, of which the sums,
// two staged groups of operands and what is on its way from memory need 150 and more.
template <class Shape>
constexpr int resident_blocks = 256 / Shape::threads;

// Where the sums of a thread lie in the result: 4 neighbouring rows and columns in each half of the tile. Side by side,
// 8 threads then read 8 neighbouring groups of 4, which is all banks of shared memory.
template <class Shape>
struct TilePlace {
  int row, column;  // the first

  __device__ TilePlace(int first_row, int first_column)
      : row(first_row + static_cast<int>(threadIdx.x) / Shape::lanes * 4),
        column(first_column + static_cast<int>(threadIdx.x) % Shape::lanes * 4) {}
  __device__ int row_of(int i) const { return row + i % 4 + i / 4 * (Shape::rows / 2); }
  __device__ int column_of(int j) const { return column + j % 4 + j / 4 * (Shape::columns / 2); }
};

using TileSums = float[thread_tile][thread_tile];

// Stages an operand whose depth runs over the columns of its source, which lie next to each other: groups of a row are
// turned into columns of the staged tile. A thread keeps its rows, whose coordinates are computed once.
template <class Source, int extent, int threads>
class RowStage {
  static constexpr int width = Source::Group::count;
  static constexpr int groups = tile_depth / width;    // in which a row of the tile is loaded
  static constexpr int together = width == 1 ? 8 : 2;  // lanes side by side in a row: a sector of 32 bytes
  static constexpr int warp_rows = warp_size / together;
  static constexpr int pass_rows = threads / groups;  // that all threads load at once
  static constexpr int passes = extent / pass_rows;
  static_assert(pass_rows % warp_rows == 0 && extent % pass_rows == 0);

 public:
  __device__ RowStage(const Source& source, int first) {
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
  // Where a value lies: rows next to each other, but those of neighbouring groups `warp_rows` banks apart, so that the
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

// Stages an operand whose depth runs over the rows of its source: groups lie in the staged tile as in memory. A thread
// keeps its columns.
template <class Source, int extent, int threads>
class ColumnStage {
  static constexpr int width = Source::Group::count;
  static constexpr int lanes = extent / width;  // that load a row of the source
  static constexpr int pass_depth = threads / lanes;
  static constexpr int passes = tile_depth / pass_depth;
  static_assert(pass_depth >= 1 && tile_depth % pass_depth == 0);

 public:
  __device__ ColumnStage(const Source& source, int first)
      : depth_(static_cast<int>(threadIdx.x) / lanes),
        own_column_(static_cast<int>(threadIdx.x) % lanes * width),
        column_(source.column(first + own_column_)) {}
  __device__ void fetch(const Source& source, int depth) {
#pragma unroll
    for (int i = 0; i < passes; ++i) staged_[i] = source.load(source.row(depth + depth_ + i * pass_depth), column_);
  }
  __device__ void put(const Source& source, float* tile) const {
#pragma unroll
    for (int i = 0; i < passes; ++i) {
      float values[width];
      source.convert(staged_[i], column_, values);
      const int depth = depth_ + i * pass_depth;
      if constexpr (width == 1)
        tile[position(depth, own_column_)] = values[0];
      else
#pragma unroll
        for (int j = 0; j < width; j += 4)
          store16(tile + position(depth, own_column_ + j),
                  Pack<float>{values[j], values[j + 1], values[j + 2], values[j + 3]});
    }
  }
  // A lane that holds 8 values writes them as two groups of 4. Every other 32 words the two change places: then 8 lanes
  // that write every second group find all banks.
  __device__ static int position(int depth, int column) {
    const int linear = depth * extent + column;
    return width == 8 ? linear ^ (linear / 32 % 2 * 4) : linear;
  }

 private:
  int depth_, own_column_;
  typename Source::Column column_;
  typename Source::Loaded staged_[passes];
};

// An operand: its source, and whether the tile's rows or columns (of the result) run over the source's rows or columns.
template <class Source_>
struct ByRows {
  using Source = Source_;
  template <int extent, int threads>
  using Stage = RowStage<Source, extent, threads>;
  Source source;
};
template <class Source_>
struct ByColumns {
  using Source = Source_;
  template <int extent, int threads>
  using Stage = ColumnStage<Source, extent, threads>;
  Source source;
};

// sum += staged a times staged b.
template <class Shape, class StageA, class StageB>
__device__ void multiply_staged(const float* a, const float* b, TileSums& sum) {
  const TilePlace<Shape> own(0, 0);
#pragma unroll 4  // more would keep the addresses of all depths in registers
  for (int depth = 0; depth < tile_depth; ++depth) {
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

// sum += the thread's part of the tile that begins at (first_row, first_column), over the depths from `begin` to `end`,
// of which there is one at least. `end` is where the sources end, or a multiple of 16 behind `begin`. To be called by
// all threads of a block of Shape::threads. Products are added in the order of the depth.
template <class Shape, class A, class B>
__device__ void multiply_tile(const A& a, const B& b, int first_row, int first_column, int begin, int end,
                              TileSums& sum) {
  using StageA = typename A::template Stage<Shape::rows, Shape::threads>;
  using StageB = typename B::template Stage<Shape::columns, Shape::threads>;
  constexpr int size_a = tile_depth * Shape::rows, size_b = tile_depth * Shape::columns;
  SHARED(Pack<float>, staged_a, [2 * size_a / 4]);  // as groups, for their alignment
  SHARED(Pack<float>, staged_b, [2 * size_b / 4]);
  float* const tile_a = staged_a->value;
  float* const tile_b = staged_b->value;

  StageA stage_a(a.source, first_row);
  StageB stage_b(b.source, first_column);
  stage_a.fetch(a.source, begin);
  stage_b.fetch(b.source, begin);
  stage_a.put(a.source, tile_a);
  stage_b.put(b.source, tile_b);
  __syncthreads();
  int now = 0;
  for (int depth = begin; depth < end; depth += tile_depth, now ^= 1) {
    const bool more = depth + tile_depth < end;
    if (more) {
      stage_a.fetch(a.source, depth + tile_depth);
      stage_b.fetch(b.source, depth + tile_depth);
    }
    multiply_staged<Shape, StageA, StageB>(tile_a + now * size_a, tile_b + now * size_b, sum);
    if (more) {
      // All threads have left this buffer: they read it before the last barrier.
      stage_a.put(a.source, tile_a + (now ^ 1) * size_a);
      stage_b.put(b.source, tile_b + (now ^ 1) * size_b);
    }
    __syncthreads();
  }
}

// Calls launch_for(shape) with the tiles for a result of this size, of which there are `copies`: 128 x 64 where that
// fills a large card, else more and smaller ones; narrow ones for few columns. Single values come in tiles of 128 x 64
// only: a thread of a smaller tile would have more of them on their way than registers. A rule, so that every card adds
// alike.
template <class Group, class Launch>
void with_shape(std::int64_t rows, int columns, int copies, const Launch& launch_for) {
  constexpr int blocks_that_fill = 264;  // two for each of 132 multiprocessors
  if constexpr (Group::count > 1) {
    if (columns <= 32) return launch_for(TileShape<128, 32>{});
    if (steps(rows, 128) * steps(columns, 64) * copies < blocks_that_fill) return launch_for(TileShape<64, 64>{});
  }
  launch_for(TileShape<128, 64>{});
}

}  // namespace preceptor::kernels
