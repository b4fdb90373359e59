// Losses on labels, with their gradients in the same launch, and the probabilities that evaluation reads.
#pragma once

#include "kernels/device/device.h"

namespace preceptor::kernels {

// -log softmax(logits)[label], averaged over the rows with a label.
struct SoftmaxCrossEntropy {
  static constexpr const char* name = "softmax_cross_entropy";
  const float* logits;  // [rows, classes]
  const float* labels;  // [rows] class index 0..classes-1 stored as float; NaN: the row is left out
  float* loss;          // [rows] weight / known rows * loss of the row
  float* d_logits;      // [rows, classes] d (sum of loss) / d logits
  int rows, classes;
  float weight;
};
Cost cost(const SoftmaxCrossEntropy& arguments);
void run_on(Cpu, const SoftmaxCrossEntropy& arguments);

// max(z, 0) - z t + log(1 + exp(-|z|)) per label, averaged over the entries whose target is known.
struct BinaryCrossEntropy {
  static constexpr const char* name = "binary_cross_entropy";
  const float* logits;   // [rows, labels]
  const float* targets;  // [rows, labels] in [0, 1]; NaN: unknown, left out
  float* loss;           // [rows] weight / known entries * sum over the row's known labels
  float* d_logits;       // [rows, labels] d (sum of loss) / d logits; 0 where unknown
  int rows, labels;
  float weight;
};
Cost cost(const BinaryCrossEntropy& arguments);
void run_on(Cpu, const BinaryCrossEntropy& arguments);

// probabilities = softmax(logits) by row.
struct Softmax {
  static constexpr const char* name = "softmax";
  const float* logits;   // [rows, classes]
  float* probabilities;  // [rows, classes]; may be logits
  int rows, classes;
};
Cost cost(const Softmax& arguments);
void run_on(Cpu, const Softmax& arguments);

// probabilities = 1 / (1 + exp(-logits)).
struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  const float* logits;   // [count]
  float* probabilities;  // [count]; may be logits
  std::int64_t count;
};
Cost cost(const Sigmoid& arguments);
void run_on(Cpu, const Sigmoid& arguments);

}  // namespace preceptor::kernels
