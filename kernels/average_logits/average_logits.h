// Several teachers as one: logits whose probabilities are the weighted mean of theirs.
#pragma once

#include "kernels/device/family.h"

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

  // Per member's value two logarithms or exponentials and their sums, of some ten operations each.
  Cost cost() const {
    const double values = count_of(rows, classes);
    return {values * (members + 1) * sizeof(T) + count_of(members, classes) * sizeof(float), values * members * 40};
  }
};
KERNEL_FAMILY_OF_T(AverageLogits);

}  // namespace preceptor::kernels
