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

  // A row of logits is read three times, one of derivatives twice: from the cache after the first.
  Cost cost() const {
    return {(independent ? 2 : 4) * count_of(rows, classes) * sizeof(float), 10 * count_of(rows, classes)};
  }
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

  Cost cost() const { return {5 * count_of(rows, classes) * sizeof(float), 5 * count_of(rows, classes)}; }
};
KERNEL_FAMILY(TemperatureSoftmaxBackward);

}  // namespace preceptor::kernels
