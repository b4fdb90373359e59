// The one layout idea of all feature maps: channels in blocks that lie next to each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace preceptor::kernels {

// [images][channel_stride / block][height][width][block] in memory, of which `channels` channels are meant: block 8 or
// 16 on a cpu, 1 is the plain order (n, c, h, w), block == channel_stride is channels-last. A map that is a channel
// range of a wider one points at its first channel and keeps the channel_stride of the wider map.
template <class T>
struct FeatureMap {
  T* data;
  int images, channels, height, width;
  int block;           // channels per block; channels % block == 0 on the cpu
  int channel_stride;  // channels of the whole allocation

  int plane() const { return height * width; }
  std::size_t elements() const { return static_cast<std::size_t>(images) * channels * plane(); }
  int channel_blocks() const { return channels / block; }

  // Position of the first element of a channel block of one image: plane() * block values follow in a row.
  std::size_t block_offset(int image, int channel_block) const {
    return (static_cast<std::size_t>(image) * channel_stride + static_cast<std::size_t>(channel_block) * block) *
           plane();
  }
  std::size_t offset(int image, int channel, int y, int x) const {
    return block_offset(image, channel / block) + (static_cast<std::size_t>(y) * width + x) * block + channel % block;
  }
  T* block_data(int image, int channel_block) const { return data + block_offset(image, channel_block); }

  // The same map, read only. A template, because nvcc warns of a class's conversion to itself.
  template <class Constant>
  requires(std::is_same_v<Constant, const T> && !std::is_const_v<T>) operator FeatureMap<Constant>() const {
    return {data, images, channels, height, width, block, channel_stride};
  }
};

}  // namespace preceptor::kernels
