// A run of neighboring values, staged in shared memory in 16-byte pieces wherever in memory it begins.
#pragma once

#include <algorithm>

#include "kernels/device/copy_async.cuh"
#include "kernels/device/load16.cuh"

namespace preceptor::kernels {

constexpr int sector_bytes = 32;  // the unit of global memory traffic

// True when all pointers have the same remainder by 16: whole pieces of one array are whole pieces of the others.
template <class... Pointers>
__device__ inline bool same_alignment(const void* first, const Pointers*... others) {
  const auto remainder = [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % 16; };
  return ((remainder(first) == remainder(others)) && ...);
}

// Values between p and the next sector. Pieces are counted from there: 512 bytes of a warp are then 16 sectors, not 17.
template <class T>
__device__ int values_to_sector(const T* p) {
  return static_cast<int>((sector_bytes - reinterpret_cast<std::uintptr_t>(p) % sector_bytes) % sector_bytes /
                          sizeof(T));
}

// Where the values of a run lie in a tile of shared memory: value i at shift + i, so that pieces stay pieces.
struct Placement {
  int count;   // values
  int shift;   // values between the sector's begin and the run's
  int head;    // values before the first piece
  int pieces;  // of 16 bytes

  // pieces_allowed: whether all arrays of this placement have the same alignment; if not, single values are moved.
  template <class T>
  __device__ Placement(const T* run, int values, bool pieces_allowed)
      : count(values), shift(0), head(values), pieces(0) {
    if (!pieces_allowed) return;
    const int to_sector = values_to_sector(run);
    shift = to_sector == 0 ? 0 : sector_bytes / static_cast<int>(sizeof(T)) - to_sector;
    head = min(to_sector, count);
    pieces = (count - head) / Pack<T>::count;
  }
  // Calls move(value) for the values that are in no piece, in turns of the block's threads.
  template <class T, class Move>
  __device__ void for_loose(const Move& move) const {
    const int in_pieces = pieces * Pack<T>::count;
    for (int i = static_cast<int>(threadIdx.x); i < count - in_pieces; i += static_cast<int>(blockDim.x))
      move(i < head ? i : i + in_pieces);
  }
  // Calls move(first value) for the pieces.
  template <class T, class Move>
  __device__ void for_pieces(const Move& move) const {
    for (int i = static_cast<int>(threadIdx.x); i < pieces; i += static_cast<int>(blockDim.x))
      move(head + i * Pack<T>::count);
  }
};

// Room for `count` values at any shift, in whole pieces.
template <class T>
__host__ __device__ constexpr int tile_values(int count) {
  return static_cast<int>(steps(count + sector_bytes / static_cast<int>(sizeof(T)) - 1, Pack<T>::count)) *
         Pack<T>::count;
}

// Begins to copy a run into a tile. It is there after copy_async_commit, copy_async_wait and a barrier.
template <class T>
__device__ void stage(T* tile, const T* run, const Placement& at) {
  at.for_pieces<T>([&](int i) { copy_async16(tile + at.shift + i, run + i); });
  at.for_loose<T>([&](int i) { tile[at.shift + i] = run[i]; });
}

// Two runs in the same places, in one loop: both are on their way before a thread goes on.
template <class T>
__device__ void stage(T* tile, const T* run, T* other_tile, const T* other_run, const Placement& at) {
  at.for_pieces<T>([&](int i) {
    copy_async16(tile + at.shift + i, run + i);
    copy_async16(other_tile + at.shift + i, other_run + i);
  });
  at.for_loose<T>([&](int i) {
    tile[at.shift + i] = run[i];
    other_tile[at.shift + i] = other_run[i];
  });
}

// Copies a tile to where its run lies.
template <class T>
__device__ void unstage(T* run, const T* tile, const Placement& at) {
  at.for_pieces<T>([&](int i) { store16(run + i, load16(tile + at.shift + i)); });
  at.for_loose<T>([&](int i) { run[i] = tile[at.shift + i]; });
}

// Rows of which a multiple is a whole number of sectors, however many columns they have.
template <class T>
constexpr int aligned_rows = sector_bytes / static_cast<int>(sizeof(T));

// Lanes that share a row: the smallest power of two that holds its values, at most a warp.
inline int lanes_for(int columns) {
  int lanes = 1;
  while (lanes < warp_size && lanes < columns) lanes *= 2;
  return lanes;
}

constexpr int short_row_bytes = 1280;  // rows up to here share a block; longer ones lose little at their ends' sectors
constexpr int most_short_threads = 512;
constexpr int blocks_for_all = 1024;  // before blocks get more rows than they must

// Blocks for rows that are short: groups of lanes take a row each, all groups of the block a round of rows.
struct ShortRows {
  int lanes;      // of a group
  int threads;    // of a block
  int tile_rows;  // rows of a block

  // on_chip: bytes of shared memory that a row needs.
  template <class T>
  static ShortRows of(int rows, int columns, std::size_t on_chip) {
    constexpr int tile_bytes = 12 * 1024;  // beyond one round
    const int lanes = lanes_for(columns);
    const int threads = std::clamp(lanes * aligned_rows<T>, 128, most_short_threads), round = threads / lanes;
    const int most = std::max(1, tile_bytes / (round * static_cast<int>(on_chip)));
    return {lanes, threads, round * std::clamp(rows / (round * blocks_for_all), 1, most)};
  }
};

}  // namespace preceptor::kernels
