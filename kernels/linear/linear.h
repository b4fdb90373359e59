// The fully connected layer, y = x weight^T + bias, and its gradients.
#pragma once

#include "kernels/device/family.h"

namespace preceptor::kernels {

// x, weight, y and their gradients by x are stored in T, float or bfloat16 (cpu: float); bias and gradients of
// parameters, and all sums, are float.

template <class T>
struct LinearForward {
  static constexpr const char* name = "linear_forward";
  const T* x;         // [rows, in]
  const T* weight;    // [out, in]
  const float* bias;  // [out]; nullptr: none
  T* y;               // [rows, out]
  int rows, in, out;
  void* workspace = nullptr;  // workspace_bytes(arguments), 64-byte aligned

  Cost cost() const {
    return {
        (count_of(rows, in) + count_of(in, out) + count_of(rows, out)) * sizeof(T) + (bias ? out : 0) * sizeof(float),
        2 * count_of(rows, in, out)};
  }
};
KERNEL_FAMILY_OF_T(LinearForward);
template <class T>
std::size_t workspace_bytes(const LinearForward<T>& arguments, const Device& device);

template <class T>
struct LinearBackward {
  static constexpr const char* name = "linear_backward";
  const T* x;       // [rows, in]
  const T* weight;  // [out, in]
  const T* d_y;     // [rows, out]
  T* d_x;           // [rows, in], overwritten; nullptr: not wanted
  float* d_weight;  // [out, in], overwritten; nullptr: not wanted
  float* d_bias;    // [out], overwritten; nullptr: not wanted
  int rows, in, out;
  void* workspace = nullptr;  // workspace_bytes(arguments), 64-byte aligned

  Cost cost() const {
    const double of_x = count_of(rows, in), of_weight = count_of(in, out), product = 2 * count_of(rows, in, out);
    const double stored = count_of(rows, out) + (d_x ? of_weight + of_x : 0) + (d_weight ? of_x : 0);
    const double gradients = (d_weight ? of_weight : 0) + (d_bias ? out : 0);
    return {stored * sizeof(T) + gradients * sizeof(float),
            (d_x ? product : 0) + (d_weight ? product : 0) + (d_bias ? count_of(rows, out) : 0)};
  }
};
KERNEL_FAMILY_OF_T(LinearBackward);
template <class T>
std::size_t workspace_bytes(const LinearBackward<T>& arguments, const Device& device);

}  // namespace preceptor::kernels
