// Mean and squared deviations by channel of what a convolution stores, from the registers that hold it.
#pragma once

#include "kernels/batch_norm/reduce_rows.cuh"
#include "kernels/convolution/shapes.h"
#include "kernels/device/tile_product.cuh"

namespace preceptor::kernels {

__device__ inline float* partial_statistics(void* workspace, int channels, int tile) {
  return static_cast<float*>(workspace) + 2 * static_cast<std::size_t>(tile) * partial_stride(channels);
}

// The statistics of the tile's rows below `rows`, to [2][stride]. A thread has at most 8 values of a channel and passes
// over them twice, so nothing cancels; the lanes and warps that hold the same channels are merged in their order.
template <class Tile>
__device__ void write_statistics(const Accumulators& values, const TilePlace<Tile>& place, int rows, int channels,
                                 int first_channel, float* to) {
  SHARED(float, means, [Tile::warps_down][Tile::columns]);
  SHARED(float, squares, [Tile::warps_down][Tile::columns]);
  SHARED(float, counts, [Tile::warps_down]);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % warp_size, warp = place.warp_row();
  Sums<thread_tile> own{};
  for (int i = 0; i < thread_tile; ++i) own.count += place.row_of(i) < rows ? 1.0f : 0.0f;
#pragma unroll
  for (int j = 0; j < thread_tile; ++j) {
    float sum = 0;
#pragma unroll
    for (int i = 0; i < thread_tile; ++i) sum += place.row_of(i) < rows ? values[i][j] : 0;
    own.first[j] = own.count > 0 ? sum / own.count : 0;
#pragma unroll
    for (int i = 0; i < thread_tile; ++i) {
      const float distance = place.row_of(i) < rows ? values[i][j] - own.first[j] : 0;
      own.second[j] = fmaf(distance, distance, own.second[j]);
    }
  }
#pragma unroll
  for (int distance = warp_size / 2; distance >= Tile::lanes; distance /= 2) {
    Sums<thread_tile> other;
    other.count = __shfl_down_sync(all_lanes, own.count, distance);
#pragma unroll
    for (int j = 0; j < thread_tile; ++j) {
      other.first[j] = __shfl_down_sync(all_lanes, own.first[j], distance);
      other.second[j] = __shfl_down_sync(all_lanes, own.second[j], distance);
    }
    MergeStatistics{}(own, other);
  }
  if (lane < Tile::lanes) {
#pragma unroll
    for (int j = 0; j < thread_tile; ++j) {
      means[warp][place.column_of(j) - first_channel] = own.first[j];
      squares[warp][place.column_of(j) - first_channel] = own.second[j];
    }
    if (place.column == first_channel) counts[warp] = own.count;
  }
  __syncthreads();
  const int channel = first_channel + thread;
  if (thread >= Tile::columns || channel >= channels) return;
  Sums<1> total{};
  for (int w = 0; w < Tile::warps_down; ++w)
    MergeStatistics{}(total, Sums<1>{counts[w], {means[w][thread]}, {squares[w][thread]}});
  to[channel] = total.first[0];
  to[static_cast<std::size_t>(channels + 3) / 4 * 4 + channel] = total.second[0];
}

// mapping: Tiling with the tiles of the forward pass as rows, all in one slice; a thread merges every rows_at_once()-th
// tile of its channels; bytes: the tiles' statistics read; operations: about 9 per channel and tile; hazard: the last
// tile may have fewer pixels than the others. Means are kept as distances from the first tile's, as those
// of a batch norm.
template <class Group, class T>
__global__ void __launch_bounds__(Tiling::threads)
    merge_statistics(const ConvolutionForward<T> a, Tiling t, int pixels, int tile_pixels) {
  constexpr int width = Group::count;
  const Position at(t);
  const int step = t.rows_at_once();
  float origin[width] = {};
  if (at.inside) load_floats(partial_statistics(a.workspace, t.channels, 0) + at.channel, origin);
  Sums<width> own{};
  for_each_row<2>(at, step, [&](int tile, auto tiles) {
    Sums<width> loaded[tiles.value];
#pragma unroll
    for (int u = 0; u < tiles.value; ++u) {
      const float* from = partial_statistics(a.workspace, t.channels, tile + u * step) + at.channel;
      loaded[u].count = static_cast<float>(min(tile_pixels, pixels - (tile + u * step) * tile_pixels));
      load_floats(from, loaded[u].first);
      load_floats(from + t.stride(), loaded[u].second);
    }
#pragma unroll
    for (int u = 0; u < tiles.value; ++u) {
      for (int j = 0; j < width; ++j) loaded[u].first[j] -= origin[j];
      MergeStatistics{}(own, loaded[u]);
    }
  });
  const Sums<1> total = reduce_block_rows(own, MergeStatistics{}, t);
  const int thread = static_cast<int>(threadIdx.x);
  const int channel = static_cast<int>(blockIdx.x) * t.tile_channels() + thread;
  if (thread >= t.tile_channels() || channel >= t.channels) return;
  a.statistics[channel] = statistics_of(total, *(partial_statistics(a.workspace, t.channels, 0) + channel));
}

template <class T>
void launch_merge_statistics(Gpu gpu, const ConvolutionForward<T>& a, int tiles, int tile_pixels) {
  const int pixels = a.y.images * a.y.plane();
  const auto launch_for = [&](auto group) {
    Tiling t(tiles, a.y.channels, group.count);
    t.slices = 1;
    launch(gpu, merge_statistics<decltype(group), T>, t.tiles, Tiling::threads, 0, a, t, pixels, tile_pixels);
  };
  a.y.channels % 4 == 0 ? launch_for(Pack<float>{}) : launch_for(Single<float>{});
}

}  // namespace preceptor::kernels
