// Groups of values brought to unit length, with or without their mean taken away first.
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"

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
};
template <class T>
Cost cost(const L2Normalize<T>& arguments);
void run_on(Cpu, const L2Normalize<float>& arguments);
template <class T>
void run_on(Cuda, const L2Normalize<T>& arguments);
template <class T>
void run_on(Emulated, const L2Normalize<T>& arguments);

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
};
template <class T>
Cost cost(const L2NormalizeBackward<T>& arguments);
void run_on(Cpu, const L2NormalizeBackward<float>& arguments);
template <class T>
void run_on(Cuda, const L2NormalizeBackward<T>& arguments);
template <class T>
void run_on(Emulated, const L2NormalizeBackward<T>& arguments);

}  // namespace preceptor::kernels
