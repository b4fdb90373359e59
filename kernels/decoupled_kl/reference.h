// Decoupled distillation as plain loops: the specification that every device is tested against.
#pragma once

#include <cmath>
#include <vector>

#include "kernels/cross_entropy/reference.h"

namespace preceptor::kernels::reference {

// The softmax of z / temperature over all classes but `left_out` (-1: none), which gets 0.
template <class T>
std::vector<T> softened_without(const T* z, int classes, T temperature, int left_out) {
  std::vector<T> p(classes, T(0));
  T maximum = -INFINITY, sum = 0;
  for (int i = 0; i < classes; ++i)
    if (i != left_out) maximum = std::max(maximum, z[i]);
  for (int i = 0; i < classes; ++i)
    if (i != left_out) sum += p[i] = std::exp((z[i] - maximum) / temperature);
  for (T& value : p) value /= sum;
  return p;
}

template <class T>
LossAndGradient<T> decoupled_kl(int rows, int classes, const std::vector<T>& student, const std::vector<T>& teacher,
                                const std::vector<T>& labels, T temperature, T of_target, T of_others, T scale) {
  LossAndGradient<T> result{std::vector<T>(rows, T(0)), std::vector<T>(student.size(), T(0))};
  const auto divergence = [](T p, T q) { return p > 0 ? p * std::log(p / q) : T(0); };
  for (int row = 0; row < rows; ++row) {
    if (std::isnan(labels[row])) continue;
    const int label = static_cast<int>(labels[row]);
    const std::size_t first = static_cast<std::size_t>(row) * classes;
    const T *s = student.data() + first, *t = teacher.data() + first;
    const auto p = softened_without(t, classes, temperature, -1), q = softened_without(s, classes, temperature, -1);
    const auto p_others = softened_without(t, classes, temperature, label);
    const auto q_others = softened_without(s, classes, temperature, label);
    T p_rest = 0, q_rest = 0, others = 0;
    for (int i = 0; i < classes; ++i)
      if (i != label) {
        p_rest += p[i];
        q_rest += q[i];
        others += divergence(p_others[i], q_others[i]);
      }
    const T target = divergence(p[label], q[label]) + divergence(p_rest, q_rest), square = temperature * temperature;
    result.loss[row] = scale * square * (of_target * target + of_others * others);
    const T excess = p_rest - q_rest;  // q - p of the label, from what is small where both are confident
    for (int i = 0; i < classes; ++i)
      result.gradient[first + i] =
          scale * temperature *
          (i == label ? of_target * excess
                      : of_others * (q_others[i] - p_others[i]) - of_target * excess * q_others[i]);
  }
  return result;
}

}  // namespace preceptor::kernels::reference
