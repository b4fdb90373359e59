// The tiles of a product, and which of their sums a thread has.
#pragma once

#include "kernels/device/group.cuh"

namespace preceptor::kernels {

constexpr int thread_tile = 8;  // rows and columns of the result that a thread sums

using Accumulators = float[thread_tile][thread_tile];

// Operand: the type of what is multiplied. Floats are multiplied by multiply-adds, bfloat16 and tf32 on tensor cores.
template <int rows_, int columns_, class Operand_>
struct TileShape {
  using Operand = Operand_;
  static constexpr bool on_tensor_cores = !std::is_same_v<Operand, float>;
  static constexpr int rows = rows_, columns = columns_;
  static constexpr int threads = rows / thread_tile * (columns / thread_tile);
  // Of a warp: 64 x 32 results on tensor cores, 32 x 64 in a tile of 32 rows, which are then the columns of its mma;
  // else rows of the whole tile.
  static constexpr bool transposed = on_tensor_cores && rows == 32;
  static constexpr int lanes = on_tensor_cores ? 4 : columns / thread_tile;  // side by side
  static constexpr int warps_across = on_tensor_cores ? columns / (transposed ? 64 : 32) : 1;
  static constexpr int warps_down = threads / warp_size / warps_across;
};

// Blocks that a multiprocessor must hold at least: 8 warps. A thread may then take 255 registers, of which the sums,
// two staged groups of operands and what is on its way from memory need 150 and more.
template <class Tile>
constexpr int resident_blocks = 256 / Tile::threads;

// Where the sums of a thread lie in the result: 4 neighboring columns twice, so that epilogues store by fours.
// By multiply-adds: also 4 neighboring rows in each half of the tile. Side by side, 8 threads then read 8 neighboring
// groups of 4, which is all banks of shared memory. On tensor cores: as tile_mma.cuh deals the lines of a block of 16
// to its two matrices and, transposed, as exchange_sums leaves them; 4 lanes store 16 neighboring columns.
template <class Tile>
struct TilePlace {
  int row, column;  // the first

  __device__ TilePlace(int first_row, int first_column) {
    const int thread = static_cast<int>(threadIdx.x), lane = thread % warp_size;
    if constexpr (Tile::transposed) {
      row = first_row + lane % 4 * 4;
      column = first_column + thread / warp_size * 64 + lane / 4 % 2 * 32 + lane / 8 * 4;
    } else if constexpr (Tile::on_tensor_cores) {
      row = first_row + warp_row() * 64 + lane / 8 * 4 + lane / 4 % 2;
      column = first_column + thread / warp_size % Tile::warps_across * 32 + lane % 4 * 4;
    } else {
      row = first_row + thread / Tile::lanes * 4;
      column = first_column + thread % Tile::lanes * 4;
    }
  }
  // Which of the warps that have the same columns this is.
  __device__ static int warp_row() { return static_cast<int>(threadIdx.x) / warp_size / Tile::warps_across; }
  __device__ int row_of(int i) const {
    return Tile::on_tensor_cores && !Tile::transposed ? row + i % 2 * 2 + i / 2 * 16
                                                      : row + i % 4 + i / 4 * (Tile::rows / 2);
  }
  __device__ int column_of(int j) const {
    return column + j % 4 + j / 4 * (Tile::on_tensor_cores ? 16 : Tile::columns / 2);
  }
};

}  // namespace preceptor::kernels
