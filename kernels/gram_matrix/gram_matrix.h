// Products of every channel of one map with every channel of another, summed over positions, image by image.
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// Maps are stored in T, float or bfloat16 (cpu: float), without gaps: channel-blocked on the cpu, channels-last on cuda
// and emulated. Both have the same images, height and width.

// products[n][i][j] = scale * sum over positions of x[n][i] * y[n][j].
template <class T>
struct GramMatrix {
  static constexpr const char* name = "gram_matrix";
  FeatureMap<const T> x, y;
  float* products;  // [images, x.channels, y.channels]
  float scale;
};
template <class T>
Cost cost(const GramMatrix<T>& arguments);
void run_on(Cpu, const GramMatrix<float>& arguments);
template <class T>
void run_on(Cuda, const GramMatrix<T>& arguments);
template <class T>
void run_on(Emulated, const GramMatrix<T>& arguments);

// The derivative by one of both maps: d_x of x with `other` = y, or of y with `other` = x and `transposed`.
template <class T>
struct GramMatrixBackward {
  static constexpr const char* name = "gram_matrix_backward";
  FeatureMap<const T> other;
  const float* d_products;  // [images, x.channels, y.channels]
  FeatureMap<T> d_x;
  float scale;
  bool transposed;
};
template <class T>
Cost cost(const GramMatrixBackward<T>& arguments);
void run_on(Cpu, const GramMatrixBackward<float>& arguments);
template <class T>
void run_on(Cuda, const GramMatrixBackward<T>& arguments);
template <class T>
void run_on(Emulated, const GramMatrixBackward<T>& arguments);

}  // namespace preceptor::kernels
