// What of a convolution's launch on a GPU follows from its shape alone, for the kernels and for the workspace they
// need.
#pragma once

#include "kernels/convolution/convolution.h"
#include "kernels/device/depth_split.h"

namespace preceptor::kernels {

template <class T>
DepthSplit depth_split(const ConvolutionWeightGradient<T>& a) {
  const int columns = a.geometry.kernel_height * a.geometry.kernel_width * a.x.channels + (a.d_bias ? 1 : 0);
  return {a.d_y.channels, columns, a.d_y.images * a.d_y.plane(), sizeof(T)};
}

// The moments of a tile of pixels, in the workspace of a forward pass: [tiles][mean, squared deviations][stride].
// Groups of 4 channels are aligned.
constexpr int smallest_tile = 64;  // pixels
template <class T>
ON_ANY_DEVICE std::size_t moment_stride(const ConvolutionForward<T>& a) {
  return static_cast<std::size_t>(a.y.channels + 3) / 4 * 4;
}
template <class T>
std::size_t moments_bytes(const ConvolutionForward<T>& a) {
  const std::size_t tiles = (a.y.images * static_cast<std::size_t>(a.y.plane()) + smallest_tile - 1) / smallest_tile;
  return tiles * 2 * moment_stride(a) * sizeof(float);
}

}  // namespace preceptor::kernels
