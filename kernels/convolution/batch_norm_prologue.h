// Fallback for devices without a fused batch-norm prologue: normalizes into the workspace, then convolves.
#pragma once

#include <cstddef>

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/convolution/convolution.h"

namespace preceptor::kernels {

template <class T>
std::size_t prologue_bytes(const FeatureMap<const T>& x, const ChannelAffine& input) {
  return input.scale ? (x.elements() * sizeof(T) + 63) / 64 * 64 : 0;
}

// The map that the convolution reads, first in its workspace, without gaps.
template <class T>
FeatureMap<T> prologue_map(const FeatureMap<const T>& x, void* workspace) {
  const int block = x.block == x.channel_stride ? x.channels : x.block;  // channels-last: a block holds all channels
  return {static_cast<T*>(workspace), x.images, x.channels, x.height, x.width, block, x.channels};
}

// The launch that writes this map.
template <template <class> class Family, class T>
BatchNormInference<T> prologue(const Family<T>& a) {
  const ChannelAffine& in = a.input;
  return {a.x, {}, prologue_map(a.x, a.workspace), nullptr, in.offset, in.mean, nullptr, in.scale, 0, in.relu};
}

// The convolution of this map; its own workspace follows the map.
template <template <class> class Family, class T>
Family<T> without_prologue(Family<T> a) {
  if (!a.input.scale) return a;
  const std::size_t bytes = prologue_bytes(a.x, a.input);
  a.x = prologue_map(a.x, a.workspace);
  a.input = {};
  if (a.workspace) a.workspace = static_cast<std::byte*>(a.workspace) + bytes;
  return a;
}

}  // namespace preceptor::kernels
