// Losses on labels, with their gradients in the same launch, and the probabilities that evaluation reads.
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"

namespace preceptor::kernels {

// Logits and what has their shape are stored in T, float or bfloat16 (cpu: float); labels, targets and losses in float.

// Bytes of a row's logits that the kernel keeps on chip. What a row has beyond is read twice. 160 KiB is what a block
// of every card since sm_80 can have.
constexpr int cross_entropy_on_chip = 160 * 1024;

// share * -log softmax(logits)[label], averaged over the rows with a label. A row with two labels (mixup) is two such
// losses whose row weights add up to 1.
template <class T>
struct SoftmaxCrossEntropy {
  static constexpr const char* name = "softmax_cross_entropy";
  const T* logits;      // [rows, classes]
  const float* labels;  // [rows] class index 0..classes-1 stored as float; NaN: the row is left out
  float* loss;          // [rows] weight / known rows * loss of the row
  T* d_logits;          // [rows, classes] d (sum of loss) / d logits
  int rows, classes;
  float weight;
  const float* row_weights = nullptr;  // [rows]; nullptr: 1
};
template <class T>
Cost cost(const SoftmaxCrossEntropy<T>& arguments);
void run_on(Cpu, const SoftmaxCrossEntropy<float>& arguments);
template <class T>
void run_on(Cuda, const SoftmaxCrossEntropy<T>& arguments);
template <class T>
void run_on(Emulated, const SoftmaxCrossEntropy<T>& arguments);

// max(z, 0) - z t + log(1 + exp(-|z|)) per label, averaged over the entries whose target is known.
template <class T>
struct BinaryCrossEntropy {
  static constexpr const char* name = "binary_cross_entropy";
  const T* logits;       // [rows, labels]
  const float* targets;  // [rows, labels] in [0, 1]; NaN: unknown, left out
  float* loss;           // [rows] weight / known entries * sum over the row's known labels
  T* d_logits;           // [rows, labels] d (sum of loss) / d logits; 0 where unknown
  int rows, labels;
  float weight;
};
template <class T>
Cost cost(const BinaryCrossEntropy<T>& arguments);
void run_on(Cpu, const BinaryCrossEntropy<float>& arguments);
template <class T>
void run_on(Cuda, const BinaryCrossEntropy<T>& arguments);
template <class T>
void run_on(Emulated, const BinaryCrossEntropy<T>& arguments);

// probabilities = softmax(logits) by row.
template <class T>
struct Softmax {
  static constexpr const char* name = "softmax";
  const T* logits;   // [rows, classes]
  T* probabilities;  // [rows, classes]; may be logits
  int rows, classes;
};
template <class T>
Cost cost(const Softmax<T>& arguments);
void run_on(Cpu, const Softmax<float>& arguments);
template <class T>
void run_on(Cuda, const Softmax<T>& arguments);
template <class T>
void run_on(Emulated, const Softmax<T>& arguments);

// probabilities = 1 / (1 + exp(-logits)).
template <class T>
struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  const T* logits;   // [count]
  T* probabilities;  // [count]; may be logits
  std::int64_t count;
};
template <class T>
Cost cost(const Sigmoid<T>& arguments);
void run_on(Cpu, const Sigmoid<float>& arguments);
template <class T>
void run_on(Cuda, const Sigmoid<T>& arguments);
template <class T>
void run_on(Emulated, const Sigmoid<T>& arguments);

}  // namespace preceptor::kernels
