// Several teachers as one: logits whose probabilities are the weighted mean of theirs.
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"

namespace preceptor::kernels {

constexpr int most_members = 32;

// With p_k the softmax (multi_label: the sigmoid) of member k's logits and w_k its weights:
//   multi-class  combined = log(sum_k w_k p_k), whose softmax is the mean,
//   multi-label  combined = log(sum_k w_k p_k) - log(sum_k w_k (1 - p_k)), whose sigmoid is the mean.
// Computed from logarithms alone: no probability underflows or rounds to 1. T is float or bfloat16 (cpu: float).
template <class T>
struct AverageLogits {
  static constexpr const char* name = "average_logits";
  const T* logits;  // [members, rows, classes], finite
  const float*
      weights;  // [members, classes], not negative; the sum over members is 1, of softmax: alike for all classes
  T* combined;  // [rows, classes]
  int members;  // 1 to most_members
  int rows, classes;
  bool multi_label;
};
template <class T>
Cost cost(const AverageLogits<T>& arguments);
void run_on(Cpu, const AverageLogits<float>& arguments);
template <class T>
void run_on(Cuda, const AverageLogits<T>& arguments);
template <class T>
void run_on(Emulated, const AverageLogits<T>& arguments);

}  // namespace preceptor::kernels
