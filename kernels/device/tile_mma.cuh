// Tiles whose operands are bfloat16 or tf32, multiplied by the tensor cores.
//
// What a warp reads at once is a block: 16 lines of an operand (rows of a, columns of b) by 32 bytes of the depth, four
// matrices of 8 lines and 16 bytes. An mma gives a thread two neighboring columns of each matrix, so lines are dealt
// out two by two: matrix h has the lines 0, 1, 4, 5, 8, 9, 12 and 13, and 2 h more. Two mma together then give it four
// neighboring ones.
#pragma once

#include "kernels/device/mma.cuh"
#include "kernels/device/tf32.h"
#include "kernels/device/tile_columns.cuh"
#include "kernels/device/tile_place.cuh"

namespace preceptor::kernels {

// The line of a block that is row n of its matrix h.
__device__ inline int line_of(int n, int h) { return n / 2 * 4 + n % 2 + h * 2; }

// A staged tile: 64 bytes of the depth, of which single values fill 16 steps.
template <class Group, class Operand>
constexpr int staged_depth_of = Group::count == 1 ? 16 : 4 * Pack<Operand>::count;

// Stages an operand whose depth runs over the columns of its source: a line of the tile is 64 bytes.
template <class Source, class Operand, int extent, int threads>
class RowOperands {
 public:
  static constexpr int staged_depth = staged_depth_of<typename Source::Group, Operand>;
  static constexpr int size = extent * 4 * Pack<Operand>::count;

 private:
  static constexpr int width = Source::Group::count, pack = Pack<Operand>::count;
  static constexpr int groups = staged_depth / width;  // in which a line is loaded, by neighboring lanes
  static constexpr int pass_lines = threads / groups;
  static constexpr int passes = extent / pass_lines;
  static_assert((width == 1 || width == pack) && extent % pass_lines == 0);

 public:
  __device__ RowOperands(const Source& source, int first)
      : line_(static_cast<int>(threadIdx.x) / groups), depth_(static_cast<int>(threadIdx.x) % groups * width) {
#pragma unroll
    for (int i = 0; i < passes; ++i) rows_[i] = source.row(first + line_ + i * pass_lines);
  }
  // Starts the loads of a tile.
  __device__ void fetch(const Source& source, int depth) {
    column_ = source.column(depth + depth_);
#pragma unroll
    for (int i = 0; i < passes; ++i) staged_[i] = source.load(rows_[i], column_);
  }
  // Writes it to shared memory.
  __device__ void put(const Source& source, Operand* tile) const {
#pragma unroll
    for (int i = 0; i < passes; ++i) {
      Operand values[width];
      source.convert(staged_[i], column_, values);
      Operand* const to = tile + position(line_ + i * pass_lines, depth_);
      if constexpr (width == 1) {
        *to = values[0];
      } else {
        Pack<Operand> group;
#pragma unroll
        for (int j = 0; j < width; ++j) group.value[j] = values[j];
        store16(to, group);
      }
    }
  }
  // The four matrices of a block: h and, in the second two, the upper 16 bytes of the depth.
  __device__ static void load_block(const Operand* tile, int block, int step, unsigned (&matrices)[4]) {
    const int lane = static_cast<int>(threadIdx.x) % warp_size;
    const int line = block * 16 + line_of(lane % 8, lane / 8 % 2);
    load_matrix(matrices, tile + position(line, (step * 2 + lane / 16) * pack));
  }

 private:
  // All 16 bytes of two lines are all banks. Four neighboring lines keep their order, the next have another: then the
  // 8 lines of a matrix, and the 2 that 8 lanes write, find all banks.
  __device__ static int position(int line, int depth) {
    return line * 4 * pack + ((depth / pack) ^ (line / 4 % 4)) * pack + depth % pack;
  }

  int line_, depth_;
  typename Source::Row rows_[passes];
  typename Source::Column column_;
  typename Source::Loaded staged_[passes];
};

// Where a column operand's operands lie: rows of the depth, as in memory.
template <class Operand, int extent>
struct ColumnPlaces;

// Transposed by load_matrix. The lines of a matrix have to be neighbors in a row: those of both matrices of a block
// are sorted.
template <int extent>
struct ColumnPlaces<bfloat16, extent> {
  // The group of 8 lines that is matrix h of a block. Moved within its row so that 8 neighboring depths, and the four
  // or eight places that 16 lanes write 8 bytes to, find all banks.
  __device__ static int group(int depth, int block, int h) {
    constexpr int groups = extent / 8;
    const int at = block * 2 + h;
    const int moved = groups == 4 ? at ^ (depth / 2 % 4) : at ^ (depth % 8) ^ (at / 8 % 2);
    return (depth * groups + moved) * 8;
  }
  __device__ static void put(bfloat16* tile, int depth, int line, const bfloat16 (&values)[8]) {
#pragma unroll
    for (int h = 0; h < 2; ++h)
      store_narrow(tile + group(depth, line / 16, h) + line % 16 / 2,
                   Narrow<bfloat16, 4>{values[2 * h], values[2 * h + 1], values[2 * h + 4], values[2 * h + 5]});
  }
  __device__ static void put(bfloat16* tile, int depth, int line, const bfloat16 (&values)[1]) {
    tile[group(depth, line / 16, line / 2 % 2) + line % 16 / 4 * 2 + line % 2] = values[0];
  }
  __device__ static void load_block(const bfloat16* tile, int block, int step, unsigned (&matrices)[4]) {
    const int lane = static_cast<int>(threadIdx.x) % warp_size;
    load_matrix_transposed(matrices, tile + group(step * 16 + lane / 16 * 8 + lane % 8, block, lane / 8 % 2));
  }
};

// Read one by one, for load_matrix does not transpose words: a lane wants line n = lane / 4 at depth lane % 4. Of the
// bits of a line, n changes 0, 2 and 3; so the depth's two lowest bits move lines by 2 and by 16, to find all banks.
template <int extent>
struct ColumnPlaces<tf32, extent> {
  __device__ static void put(tf32* tile, int depth, int line, const tf32 (&values)[4]) {
    Pack<tf32> group;
#pragma unroll
    for (int j = 0; j < 4; ++j) group.value[j] = depth % 2 == 0 ? values[j] : values[j ^ 2];
    store16(tile + depth * extent + (line ^ (depth / 2 % 2 * 16)), group);
  }
  __device__ static void put(tf32* tile, int depth, int line, const tf32 (&values)[1]) {
    tile[position(depth, line)] = values[0];
  }
  __device__ static void load_block(const tf32* tile, int block, int step, unsigned (&matrices)[4]) {
    const int lane = static_cast<int>(threadIdx.x) % warp_size;
#pragma unroll
    for (int i = 0; i < 4; ++i)
      matrices[i] = tile[position(step * 8 + i / 2 * 4 + lane % 4, block * 16 + line_of(lane / 4, i % 2))].bits;
  }

 private:
  __device__ static int position(int depth, int line) {
    return depth * extent + (line ^ (depth % 2 * 2 + depth / 2 % 2 * 16));
  }
};

// Stages an operand whose depth runs over the rows of its source.
template <class Source, class Operand, int extent, int threads>
using ColumnOperands = ColumnStage<Source, Operand, ColumnPlaces<Operand, extent>,
                                   staged_depth_of<typename Source::Group, Operand>, extent, threads>;

// sum += staged a times staged b, which begin at these blocks: 64 x 32 results of a warp, 4 x 4 mma for every 32 bytes
// of the depth.
template <class StageA, class StageB, class Operand>
__device__ void multiply_blocks(const Operand* a, int first_row, const Operand* b, int first_column,
                                Accumulators& sum) {
#pragma unroll
  for (int step = 0; step < StageA::staged_depth / (2 * Pack<Operand>::count); ++step) {
    unsigned right[2][4], left[2][4];  // left: of these rows and, on their way, of the next
#pragma unroll
    for (int j = 0; j < 2; ++j) StageB::load_block(b, first_column + j, step, right[j]);
    StageA::load_block(a, first_row, step, left[0]);
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (i < 3) StageA::load_block(a, first_row + i + 1, step, left[(i + 1) % 2]);
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        float* const upper = &sum[2 * i][2 * j];
        float* const lower = &sum[2 * i + 1][2 * j];
        float c[4] = {upper[0], upper[1], lower[0], lower[1]};
        const unsigned columns[2] = {right[j / 2][j % 2], right[j / 2][j % 2 + 2]};
        if constexpr (std::is_same_v<Operand, bfloat16>)
          mma_bf16(c, left[i % 2], columns);
        else
          mma_tf32(c, left[i % 2], columns);
        upper[0] = c[0], upper[1] = c[1], lower[0] = c[2], lower[1] = c[3];
      }
    }
  }
}

// sum += staged a times staged b, or b times a where the shape is transposed.
template <class Tile, class StageA, class StageB>
__device__ void multiply_operands(const typename Tile::Operand* a, const typename Tile::Operand* b, Accumulators& sum) {
  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  if constexpr (Tile::transposed)
    multiply_blocks<StageB, StageA>(b, warp * 4, a, 0, sum);
  else
    multiply_blocks<StageA, StageB>(a, warp / Tile::warps_across * 4, b, warp % Tile::warps_across * 2, sum);
}

// Turns the sums of a transposed shape. Of four neighboring columns a thread has the first and third, or the second
// and fourth, and a lane four away the others: of four such fours each of the two takes two whole ones.
__device__ inline void exchange_sums(Accumulators& sum) {
  const bool odd = static_cast<int>(threadIdx.x) / 4 % 2 == 1;
  Accumulators turned;
#pragma unroll
  for (int i = 0; i < thread_tile; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const float of_first = sum[j][i], of_second = sum[j + 4][i];
      const float kept = odd ? of_second : of_first;
      const float taken = __shfl_xor_sync(all_lanes, odd ? of_first : of_second, 4);
      turned[i][2 * j] = odd ? taken : kept;
      turned[i][2 * j + 1] = odd ? kept : taken;
    }
#pragma unroll
  for (int i = 0; i < thread_tile; ++i)
#pragma unroll
    for (int j = 0; j < thread_tile; ++j) sum[i][j] = turned[i][j];
}

}  // namespace preceptor::kernels
