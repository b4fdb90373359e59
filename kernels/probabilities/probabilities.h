// Softened probabilities that pass a gradient: what relations between outputs are computed from.
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"

namespace preceptor::kernels {

// p = softmax(logits / temperature) by row, or 1 / (1 + exp(-logits / temperature)) of every entry with `independent`.
struct Probabilities {
  static constexpr const char* name = "probabilities";
  const float* logits;  // [rows, classes]
  float* p;             // [rows, classes]
  int rows, classes;
  float temperature;  // > 0
  bool independent;
};
Cost cost(const Probabilities& arguments);
void run_on(Cpu, const Probabilities& arguments);
void run_on(Cuda, const Probabilities& arguments);
void run_on(Emulated, const Probabilities& arguments);

// The derivative by the logits.
struct ProbabilitiesBackward {
  static constexpr const char* name = "probabilities_backward";
  const float* p;
  const float* d_p;
  float* d_logits;
  int rows, classes;
  float temperature;
  bool independent;
};
Cost cost(const ProbabilitiesBackward& arguments);
void run_on(Cpu, const ProbabilitiesBackward& arguments);
void run_on(Cuda, const ProbabilitiesBackward& arguments);
void run_on(Emulated, const ProbabilitiesBackward& arguments);

}  // namespace preceptor::kernels
