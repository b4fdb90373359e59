// Softened probabilities that pass a gradient: what relations between outputs are computed from.
#pragma once

#include "kernels/device/family.h"

namespace preceptor::kernels {

// p = softmax(logits / temperature) by row, or 1 / (1 + exp(-logits / temperature)) of every entry with `independent`.
struct TemperatureSoftmax {
  static constexpr const char* name = "temperature_softmax";
  const float* logits;  // [rows, classes]
  float* p;             // [rows, classes]
  int rows, classes;
  float temperature;  // > 0
  bool independent;
};
KERNEL_FAMILY(TemperatureSoftmax);

// The derivative by the logits.
struct TemperatureSoftmaxBackward {
  static constexpr const char* name = "temperature_softmax_backward";
  const float* p;
  const float* d_p;
  float* d_logits;
  int rows, classes;
  float temperature;
  bool independent;
};
KERNEL_FAMILY(TemperatureSoftmaxBackward);

}  // namespace preceptor::kernels
