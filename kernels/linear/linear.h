// The fully connected layer, y = x weight^T + bias, and its gradients.
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"

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
};
template <class T>
Cost cost(const LinearForward<T>& arguments);
template <class T>
std::size_t workspace_bytes(const LinearForward<T>& arguments, const Device& device);
void run_on(Cpu, const LinearForward<float>& arguments);
template <class T>
void run_on(Cuda, const LinearForward<T>& arguments);
template <class T>
void run_on(Emulated, const LinearForward<T>& arguments);

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
};
template <class T>
Cost cost(const LinearBackward<T>& arguments);
template <class T>
std::size_t workspace_bytes(const LinearBackward<T>& arguments, const Device& device);
void run_on(Cpu, const LinearBackward<float>& arguments);
template <class T>
void run_on(Cuda, const LinearBackward<T>& arguments);
template <class T>
void run_on(Emulated, const LinearBackward<T>& arguments);

}  // namespace preceptor::kernels
