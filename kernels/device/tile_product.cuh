// The product of two matrices, tile by tile: what linear layers and all directions of a convolution compute.
//
//   sum[row][column] = sum over depth of a(row, depth) b(depth, column)
//
// The operands are sources (tile_source.cuh): matrices in memory, or what a convolution makes look like one. A block
// takes one tile of the result. Its threads bring 16 or 32 steps of the depth of both operands at a time to shared
// memory, as operands, and each sums 8 x 8 products there: with multiply-adds (tile_fma.cuh) or, a warp together, on
// the tensor cores (tile_mma.cuh). Two buffers alternate, so the loads of the next tile are on their way while this one
// is multiplied, and one barrier a tile is enough.
#pragma once

#include "kernels/device/split_k.h"
#include "kernels/device/tile_fma.cuh"
#include "kernels/device/tile_mma.cuh"

namespace preceptor::kernels {

// An operand: its source, and whether the tile's rows or columns (of the result) run over the source's rows or columns.
template <class Source_>
struct ByRows {
  using Source = Source_;
  template <class Operand, int extent, int threads>
  using Stage = std::conditional_t<std::is_same_v<Operand, float>, RowFloats<Source, extent, threads>,
                                   RowOperands<Source, Operand, extent, threads>>;
  Source source;
};
template <class Source_>
struct ByColumns {
  using Source = Source_;
  template <class Operand, int extent, int threads>
  using Stage = std::conditional_t<std::is_same_v<Operand, float>, ColumnFloats<Source, extent, threads>,
                                   ColumnOperands<Source, Operand, extent, threads>>;
  Source source;
};

// sum += the thread's part of the tile that begins at (first_row, first_column), over the depths from `begin` to `end`,
// of which there is one at least. `end` is where the sources end, or a multiple of 64 bytes of operands after `begin`.
// To be called by all threads of a block of Shape::threads. Products are added in the order of the depth, on tensor
// cores as they do it within an mma.
template <class Tile, class A, class B>
__device__ void multiply_tile(const A& a, const B& b, int first_row, int first_column, int begin, int end,
                              Accumulators& sum) {
  using Operand = typename Tile::Operand;
  using StageA = typename A::template Stage<Operand, Tile::rows, Tile::threads>;
  using StageB = typename B::template Stage<Operand, Tile::columns, Tile::threads>;
  static_assert(StageA::staged_depth == StageB::staged_depth);
  constexpr int step = StageA::staged_depth, size_a = StageA::size, size_b = StageB::size;
  SHARED(Pack<Operand>, staged_a, [2 * size_a / Pack<Operand>::count]);  // as groups, for their alignment
  SHARED(Pack<Operand>, staged_b, [2 * size_b / Pack<Operand>::count]);
  Operand* const tile_a = staged_a->value;
  Operand* const tile_b = staged_b->value;

  StageA stage_a(a.source, first_row);
  StageB stage_b(b.source, first_column);
  stage_a.fetch(a.source, begin);
  stage_b.fetch(b.source, begin);
  stage_a.put(a.source, tile_a);
  stage_b.put(b.source, tile_b);
  __syncthreads();
  int now = 0;
  for (int depth = begin; depth < end; depth += step, now ^= 1) {
    const bool more = depth + step < end;
    if (more) {
      stage_a.fetch(a.source, depth + step);
      stage_b.fetch(b.source, depth + step);
    }
    if constexpr (Tile::on_tensor_cores)
      multiply_operands<Tile, StageA, StageB>(tile_a + now * size_a, tile_b + now * size_b, sum);
    else
      multiply_floats<Tile, StageA, StageB>(tile_a + now * size_a, tile_b + now * size_b, sum);
    if (more) {
      // All threads have left this buffer: they read it before the last barrier.
      stage_a.put(a.source, tile_a + (now ^ 1) * size_a);
      stage_b.put(b.source, tile_b + (now ^ 1) * size_b);
    }
    __syncthreads();
  }
  if constexpr (Tile::transposed) exchange_sums(sum);
}

// Calls launch_for(shape) with the tiles for a result of this size, of which there are `copies`: 128 x 64 where that
// fills a large card, else more and smaller ones; narrow ones for few columns. Single values come in tiles of 128 x 64
// only: a thread of a smaller tile would have more of them on their way than registers. A rule, so that
// every card adds alike.
template <class Group, class Operand, class Launch>
void with_shape(std::int64_t rows, int columns, int copies, const Launch& launch_for) {
  if constexpr (Group::count > 1) {
    if (columns <= narrow_columns) return launch_for(TileShape<128, 32, Operand>{});
    if (steps(rows, 128) * steps(columns, 64) * copies < blocks_that_fill)
      return launch_for(TileShape<64, 64, Operand>{});
  }
  launch_for(TileShape<128, 64, Operand>{});
}

}  // namespace preceptor::kernels
