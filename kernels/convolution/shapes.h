// The parts of a convolution's launch on a GPU that its shape alone decides, for the kernels and for
// the workspace they need.
#pragma once

#include "kernels/convolution/convolution.h"
#include "kernels/device/split_k.h"

namespace preceptor::kernels {

inline int taps(const ConvolutionGeometry& g) { return g.kernel_height * g.kernel_width; }

template <class T>
SplitK split_k(const ConvolutionForward<T>& a) {
  return split_of_product(a.y.images * a.y.plane(), a.y.channels, taps(a.geometry) * a.x.channels, sizeof(T));
}
// With stride there are stride^2 classes of pixels, a grid for each and of different depths: enough tiles undivided.
template <class T>
SplitK split_k(const ConvolutionDataGradient<T>& a) {
  const int depth = taps(a.geometry) * a.d_y.channels;
  if (a.geometry.stride > 1) return {depth, 1, sizeof(T), 0};
  return split_of_product(a.d_x.images * a.d_x.plane(), a.d_x.channels, depth, sizeof(T));
}
template <class T>
SplitK split_k(const ConvolutionWeightGradient<T>& a) {
  const int columns = taps(a.geometry) * a.x.channels + (a.d_bias ? 1 : 0);
  return split_of_gradient(a.d_y.channels, columns, a.d_y.images * a.d_y.plane(), sizeof(T));
}

// The statistics of a tile of pixels, where the workspace of a forward pass
// begins: [tiles][mean, squared deviations][partial_stride(channels)].
constexpr int smallest_tile = 64;  // pixels
template <class T>
std::size_t statistics_bytes(const ConvolutionForward<T>& a) {
  if (!a.statistics) return 0;
  const std::size_t tiles = (a.y.images * static_cast<std::size_t>(a.y.plane()) + smallest_tile - 1) / smallest_tile;
  return tiles * 2 * partial_stride(a.y.channels) * sizeof(float);
}

}  // namespace preceptor::kernels
