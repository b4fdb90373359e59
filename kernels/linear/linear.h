// The fully connected layer, y = x weight^T + bias, and its gradients.
#pragma once

#include "kernels/device/device.h"

namespace preceptor::kernels {

struct LinearForward {
  static constexpr const char* name = "linear_forward";
  const float* x;       // [rows, in]
  const float* weight;  // [out, in]
  const float* bias;    // [out]; nullptr: none
  float* y;             // [rows, out]
  int rows, in, out;
};
Cost cost(const LinearForward& arguments);
void run_on(Cpu, const LinearForward& arguments);

struct LinearBackward {
  static constexpr const char* name = "linear_backward";
  const float* x;       // [rows, in]
  const float* weight;  // [out, in]
  const float* d_y;     // [rows, out]
  float* d_x;           // [rows, in], overwritten; nullptr: not wanted
  float* d_weight;      // [out, in], overwritten; nullptr: not wanted
  float* d_bias;        // [out], overwritten; nullptr: not wanted
  int rows, in, out;
};
Cost cost(const LinearBackward& arguments);
void run_on(Cpu, const LinearBackward& arguments);

}  // namespace preceptor::kernels
