// Distillation on softened logits as plain loops: the specification that every device is tested against.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/cross_entropy/reference.h"

namespace preceptor::kernels::reference {

// log softmax(logits / temperature) by row, with a temperature for every row.
template <class T>
std::vector<T> log_softmax(int rows, int classes, const std::vector<T>& logits, const std::vector<T>& temperatures) {
  std::vector<T> result(logits.size());
  for (int row = 0; row < rows; ++row) {
    const auto first = static_cast<std::size_t>(row) * classes;
    const T temperature = temperatures[row];
    const T maximum = *std::max_element(logits.begin() + first, logits.begin() + first + classes);
    T sum = 0;
    for (int i = 0; i < classes; ++i) sum += std::exp((logits[first + i] - maximum) / temperature);
    for (int i = 0; i < classes; ++i) result[first + i] = (logits[first + i] - maximum) / temperature - std::log(sum);
  }
  return result;
}

// loss[row] = scale T^2 sum of p log(p / q), p the teacher's and q the student's softened distribution.
template <class T>
LossAndGradient<T> softened_kl(int rows, int classes, const std::vector<T>& student, const std::vector<T>& teacher,
                               const std::vector<T>& temperatures, T scale) {
  LossAndGradient<T> result{std::vector<T>(rows, T(0)), std::vector<T>(student.size(), T(0))};
  const std::vector<T> log_q = log_softmax(rows, classes, student, temperatures);
  const std::vector<T> log_p = log_softmax(rows, classes, teacher, temperatures);
  for (std::size_t i = 0; i < student.size(); ++i) {
    const T p = std::exp(log_p[i]), q = std::exp(log_q[i]), temperature = temperatures[i / classes];
    result.loss[i / classes] += scale * temperature * temperature * p * (log_p[i] - log_q[i]);
    // T^2 from the loss, 1 / T from the softening.
    result.gradient[i] = scale * temperature * (q - p);
  }
  return result;
}

// The student's whole loss: the above and hard_scale * -log softmax(student)[label] in the rows whose label is no NaN.
template <class T>
LossAndGradient<T> softened_kl_with_labels(int rows, int classes, const std::vector<T>& student,
                                           const std::vector<T>& teacher, const std::vector<T>& temperatures, T scale,
                                           const std::vector<T>& labels, T hard_scale) {
  LossAndGradient<T> result = softened_kl(rows, classes, student, teacher, temperatures, scale);
  // Their mean is over the labels that are known; here every row weighs hard_scale.
  const T known = static_cast<T>(count_known(labels));
  const LossAndGradient<T> hard = softmax_cross_entropy(rows, classes, student, labels, hard_scale * known);
  for (int row = 0; row < rows; ++row) result.loss[row] += hard.loss[row];
  for (std::size_t i = 0; i < student.size(); ++i) result.gradient[i] += hard.gradient[i];
  return result;
}

// Every label is a distribution over yes and no; `known` marks the entries that count, `counts` says
// how often (empty: once).
template <class T>
LossAndGradient<T> softened_binary_kl(int rows, int labels, const std::vector<T>& student,
                                      const std::vector<T>& teacher, const std::vector<bool>& known, T temperature,
                                      T weight, const std::vector<T>& counts = {}) {
  LossAndGradient<T> result{std::vector<T>(rows, T(0)), std::vector<T>(student.size(), T(0))};
  const auto count = std::count(known.begin(), known.end(), true);
  for (std::size_t i = 0; i < student.size(); ++i) {
    if (!known[i]) continue;
    const T scale = weight / static_cast<T>(count) * (counts.empty() ? T(1) : counts[i]);
    const T s = student[i] / temperature, t = teacher[i] / temperature;
    // log sigmoid(z) = -softplus(-z), log(1 - sigmoid(z)) = -softplus(z).
    const T divergence = sigmoid(t) * (softplus(-s) - softplus(-t)) + sigmoid(-t) * (softplus(s) - softplus(t));
    result.loss[i / labels] += scale * temperature * temperature * divergence;
    result.gradient[i] = scale * temperature * (sigmoid(s) - sigmoid(t));
  }
  return result;
}

}  // namespace preceptor::kernels::reference
