// Softened probabilities that pass a gradient: what relations between outputs are computed from.
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"

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
Cost cost(const TemperatureSoftmax& arguments);
void run_on(Cpu, const TemperatureSoftmax& arguments);
void run_on(Cuda, const TemperatureSoftmax& arguments);
void run_on(Emulated, const TemperatureSoftmax& arguments);

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
Cost cost(const TemperatureSoftmaxBackward& arguments);
void run_on(Cpu, const TemperatureSoftmaxBackward& arguments);
void run_on(Cuda, const TemperatureSoftmaxBackward& arguments);
void run_on(Emulated, const TemperatureSoftmaxBackward& arguments);

}  // namespace preceptor::kernels
