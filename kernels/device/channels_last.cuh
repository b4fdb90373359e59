// Channels-last maps as kernels meet them: rows of channels, one for every pixel, by groups where alignment allows.
#pragma once

#include <cassert>

#include "kernels/device/feature_map.h"
#include "kernels/device/group.cuh"

namespace preceptor::kernels {

// The element of a channels-last map.
template <class T>
__device__ T* row_at(const FeatureMap<T>& map, int row, int channel) {
  return map.data + static_cast<std::int64_t>(row) * map.channel_stride + channel;
}

// True if all maps can be accessed by 16 bytes.
template <class... T>
bool rows_aligned(const FeatureMap<T>&... maps) {
  assert(((!maps.data || maps.block == maps.channel_stride) && ...));
  const auto whole = [](int channels, std::size_t size) { return channels * size % 16 == 0; };
  return ((!maps.data ||
           (aligned16(maps.data) && whole(maps.channel_stride, sizeof(T)) && whole(maps.channels, sizeof(T)))) &&
          ...);
}

}  // namespace preceptor::kernels
