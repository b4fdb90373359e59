// Losses on labels, with their gradients in the same launch, and the probabilities that evaluation reads.
#pragma once

#include <algorithm>

#include "kernels/device/family.h"

namespace preceptor::kernels {

// Logits and what has their shape are stored in T, float or bfloat16 (cpu: float); labels, targets and losses in float.

// Bytes of a row's logits that the kernel keeps on chip. What a row has beyond is read twice. 160 KiB is what a block
// of every card since sm_80 can have.
constexpr int cross_entropy_on_chip = 160 * 1024;

// Values that rows of logits cost: read once and written, and read again from where a row no longer fits on chip.
template <class T>
double logits_moved(int rows, int classes) {
  return rows * (2.0 * classes + std::max(0, classes - cross_entropy_on_chip / static_cast<int>(sizeof(T))));
}

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

  Cost cost() const {
    return {logits_moved<T>(rows, classes) * sizeof(T) + (row_weights ? 3.0 : 2.0) * rows * sizeof(float),
            10 * count_of(rows, classes)};
  }
};
KERNEL_FAMILY_OF_T(SoftmaxCrossEntropy);

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

  Cost cost() const {
    const double entries = count_of(rows, labels);
    return {2 * entries * sizeof(T) + (entries + rows) * sizeof(float), 12 * entries};
  }
};
KERNEL_FAMILY_OF_T(BinaryCrossEntropy);

// probabilities = softmax(logits) by row.
template <class T>
struct Softmax {
  static constexpr const char* name = "softmax";
  const T* logits;   // [rows, classes]
  T* probabilities;  // [rows, classes]; may be logits
  int rows, classes;

  Cost cost() const { return {logits_moved<T>(rows, classes) * sizeof(T), 6 * count_of(rows, classes)}; }
};
KERNEL_FAMILY_OF_T(Softmax);

// probabilities = 1 / (1 + exp(-logits)).
template <class T>
struct Sigmoid {
  static constexpr const char* name = "sigmoid";
  const T* logits;   // [count]
  T* probabilities;  // [count]; may be logits
  std::int64_t count;

  Cost cost() const { return {2 * count_of(count) * sizeof(T), 4 * count_of(count)}; }
};
KERNEL_FAMILY_OF_T(Sigmoid);

}  // namespace preceptor::kernels
