// Sums over the rows of a channels-last map: by thread, block and grid, merged in an order that only the shape decides.
#pragma once

#include "kernels/batch_norm/tiling.h"
#include "kernels/device/channel_statistics.h"
#include "kernels/device/group.cuh"
#include "kernels/device/reduce.cuh"

namespace preceptor::kernels {

// Where a thread stands in the tile of its block.
struct Position {
  int lane, row;    // within the block
  int channel;      // the first of its channels
  bool inside;      // these channels exist
  int first, last;  // its rows: first, first + rows_at_once(), ... below last

  __device__ explicit Position(const Tiling& t) {
    lane = static_cast<int>(threadIdx.x) % t.lanes;
    row = static_cast<int>(threadIdx.x) / t.lanes;
    channel = static_cast<int>(blockIdx.x) * t.tile_channels() + lane * t.width;
    inside = channel < t.channels;
    first = t.first_row(static_cast<int>(blockIdx.y)) + row;
    last = inside ? t.first_row(static_cast<int>(blockIdx.y) + 1) : first;
  }
};

// Calls body(row, rows) for the rows of a thread, `unroll` of them together: a loop over that many comes first, so
// that all its loads are on their way before one is used.
template <int unroll, class Body>
__device__ void for_each_row(const Position& at, int step, const Body& body) {
  int row = at.first;
  for (; row + (unroll - 1) * step < at.last; row += unroll * step) body(row, std::integral_constant<int, unroll>{});
  for (; row < at.last; row += step) body(row, std::integral_constant<int, 1>{});
}

// Shared memory that holds a float for every channel of a tile of groups of `width`: value j of a lane's group at
// slot(lane, j). 12 in place of 8 for a width of 8: lanes that read neighboring channels then find 32 banks.
template <int width>
struct Staging {
  static constexpr int pitch = width == 8 ? 12 : Tiling::most_lanes(width);
  static constexpr int size = width * pitch;

  __device__ static int slot(int lane, int j) { return j * pitch + lane; }
  __device__ static int slot_of_channel(int channel_of_tile) {
    return slot(channel_of_tile / width, channel_of_tile % width);
  }
  __device__ static void put(float* staged, int lane, const float (&values)[width]) {
    for (int j = 0; j < width; ++j) staged[slot(lane, j)] = values[j];
  }
  __device__ static void get(const float* staged, int lane, float (&values)[width]) {
    for (int j = 0; j < width; ++j) values[j] = staged[slot(lane, j)];
  }
};

// Two sums for each of `width` channels over `count` rows; what they mean is the merge's affair.
template <int width>
struct Sums {
  float count;
  float first[width], second[width];
};

struct AddSums {
  template <int width>
  __device__ void operator()(Sums<width>& into, const Sums<width>& from) const {
    for (int j = 0; j < width; ++j) {
      into.first[j] += from.first[j];
      into.second[j] += from.second[j];
    }
    into.count += from.count;
  }
};

// first: means; second: sums of squares around them. Chan, Golub and LeVeque 1979.
struct MergeStatistics {
  template <int width>
  __device__ void operator()(Sums<width>& into, const Sums<width>& from) const {
    if (from.count == 0) return;
    const float count = into.count + from.count, part = from.count / count, weight = into.count * part;
    for (int j = 0; j < width; ++j) {
      const float difference = from.first[j] - into.first[j];
      into.first[j] = fmaf(difference, part, into.first[j]);
      into.second[j] += fmaf(difference * difference, weight, from.second[j]);
    }
    into.count = count;
  }
};

// A channel's statistics, from those of all its values around an origin.
__device__ inline ChannelStatistics statistics_of(const Sums<1>& sums, float origin) {
  return {static_cast<double>(origin) + static_cast<double>(sums.first[0]), static_cast<double>(sums.second[0])};
}

// The sums of a block's threads. Thread i gets those of channel i of the tile; what the others get means nothing. The
// caller puts a barrier between two calls.
template <int width, class Merge>
__device__ Sums<1> reduce_block_rows(Sums<width> own, const Merge& merge, const Tiling& t) {
  constexpr int warps = Tiling::threads / warp_size;
  SHARED(float, first, [warps][Staging<width>::size]);
  SHARED(float, second, [warps][Staging<width>::size]);
  SHARED(float, counts, [warps]);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % warp_size, warp = thread / warp_size;
  // Lanes that hold the same channels are t.lanes apart; the lowest end up with all rows of the warp.
  for (int distance = warp_size / 2; distance >= t.lanes; distance /= 2) {
    Sums<width> other;
    other.count = __shfl_down_sync(all_lanes, own.count, distance);
    for (int j = 0; j < width; ++j) {
      other.first[j] = __shfl_down_sync(all_lanes, own.first[j], distance);
      other.second[j] = __shfl_down_sync(all_lanes, own.second[j], distance);
    }
    merge(own, other);
  }
  if (lane < t.lanes) {
    Staging<width>::put(first[warp], lane, own.first);
    Staging<width>::put(second[warp], lane, own.second);
  }
  if (lane == 0) counts[warp] = own.count;
  __syncthreads();
  Sums<1> total{};
  if (thread < t.tile_channels()) {
    const int slot = Staging<width>::slot_of_channel(thread);
    for (int w = 0; w < warps; ++w) merge(total, Sums<1>{counts[w], {first[w][slot]}, {second[w][slot]}});
  }
  return total;
}

// The sums over all rows of the map, through partial[slices][2][stride] in the workspace: true in the threads of the
// last block of a channel tile that got a channel, thread i channel i of the tile.
template <int width, class Merge>
__device__ bool reduce_map_rows(const Sums<width>& own, const Merge& merge, const Tiling& t, float* partial,
                                unsigned* tickets, Sums<1>& total) {
  const Position at(t);
  const int thread = static_cast<int>(threadIdx.x);
  const int channel = static_cast<int>(blockIdx.x) * t.tile_channels() + thread;
  const bool holds = thread < t.tile_channels() && channel < t.channels;
  total = reduce_block_rows(own, merge, t);
  if (holds) {
    float* to = partial + 2 * blockIdx.y * t.stride() + channel;
    to[0] = total.first[0];
    to[t.stride()] = total.second[0];
  }
  const bool last = last_block(tickets + blockIdx.x, gridDim.y);
  if (last) {
    Sums<width> sum{};
    if (at.inside)
      for (int slice = at.row; slice < t.slices; slice += t.rows_at_once()) {
        const float* from = partial + 2 * static_cast<std::size_t>(slice) * t.stride() + at.channel;
        Sums<width> other;
        other.count = static_cast<float>(t.first_row(slice + 1) - t.first_row(slice));
        load_floats(from, other.first);
        load_floats(from + t.stride(), other.second);
        merge(sum, other);
      }
    total = reduce_block_rows(sum, merge, t);
  }
  return last && holds;
}

}  // namespace preceptor::kernels
