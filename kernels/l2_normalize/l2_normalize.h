// Groups of values scaled to unit length, optionally after subtracting their mean.
#pragma once

#include "kernels/device/family.h"

namespace preceptor::kernels {

// An array [outer, length, inner] holds outer * inner groups of `length` values, `inner` apart: rows of a matrix with
// inner = 1, its columns with outer = 1, the channels of a map's images with length = height * width. T is float or
// bfloat16 (cpu: float).

// y = scale (x - m) / max(|x - m|, epsilon), |.| the L2 norm of the group, m its mean where `center`, else 0.
template <class T>
struct L2Normalize {
  static constexpr const char* name = "l2_normalize";
  const T* x;      // [outer, length, inner]
  T* y;            // likewise
  float* inverse;  // [outer, inner] 1 / |x - m|; 0 where that is at most epsilon: such a group passes no gradient
  int outer, length, inner;
  bool center;
  float scale, epsilon;

  // The norm is needed before anything can be written, and the mean before the norm.
  Cost cost() const {
    const double groups = count_of(outer, inner), values = groups * length;
    return {(center ? 4 : 3) * values * sizeof(T) + groups * sizeof(float), 5 * values};
  }
};
KERNEL_FAMILY_OF_T(L2Normalize);

// d_x from d_y; y and inverse are those of L2Normalize.
template <class T>
struct L2NormalizeBackward {
  static constexpr const char* name = "l2_normalize_backward";
  const T* y;
  const T* d_y;
  const float* inverse;
  T* d_x;  // may be d_y's memory
  int outer, length, inner;
  bool center;
  float scale;

  Cost cost() const {
    const double groups = count_of(outer, inner), values = groups * length;
    return {5 * values * sizeof(T) + groups * sizeof(float), 7 * values};
  }
};
KERNEL_FAMILY_OF_T(L2NormalizeBackward);

}  // namespace preceptor::kernels
