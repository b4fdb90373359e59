// Products of every channel of one map with every channel of another, summed over positions, image by image.
#pragma once

#include "kernels/device/family.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// Maps are stored in T, float or bfloat16 (cpu: float), without gaps: channel-blocked on the cpu, channels-last on cuda
// and emulated. Both have the same images, height and width.

// All products of two maps' channels: both read, or one read and one written, and the matrices read or written.
template <class Left, class Right>
Cost gram_cost(const FeatureMap<Left>& left, const FeatureMap<Right>& right) {
  const double products = count_of(left.images, left.channels, right.channels);
  return {count_of(left.elements() + right.elements()) * sizeof(Left) + products * sizeof(float),
          2 * products * left.plane()};
}

// products[n][i][j] = scale * sum over positions of x[n][i] * y[n][j].
template <class T>
struct GramMatrix {
  static constexpr const char* name = "gram_matrix";
  FeatureMap<const T> x, y;
  float* products;  // [images, x.channels, y.channels]
  float scale;

  Cost cost() const { return gram_cost(x, y); }
};
KERNEL_FAMILY_OF_T(GramMatrix);

// The derivative by one of both maps: d_x of x with `other` = y, or of y with `other` = x and `transposed`.
template <class T>
struct GramMatrixBackward {
  static constexpr const char* name = "gram_matrix_backward";
  FeatureMap<const T> other;
  const float* d_products;  // [images, x.channels, y.channels]
  FeatureMap<T> d_x;
  float scale;
  bool transposed;

  Cost cost() const { return gram_cost(other, d_x); }
};
KERNEL_FAMILY_OF_T(GramMatrixBackward);

}  // namespace preceptor::kernels
