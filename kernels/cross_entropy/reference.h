// The losses on labels as plain loops: the specification that every device is tested against.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/softmax/reference.h"

namespace preceptor::kernels::reference {

template <class T>
struct LossAndGradient {
  std::vector<T> loss;      // [rows]
  std::vector<T> gradient;  // [rows, columns]
};

template <class T>
std::vector<T> softmax(int rows, int classes, const std::vector<T>& logits) {
  return temperature_softmax(rows, classes, logits, T(1), false);
}

template <class T>
T sigmoid(T z) {
  return z >= 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z));
}

// log(1 + exp(z)) without overflow.
template <class T>
T softplus(T z) {
  return std::max(z, T(0)) + std::log1p(std::exp(-std::abs(z)));
}

template <class T>
int count_known(const std::vector<T>& values) {
  int known = 0;
  for (T value : values) known += !std::isnan(value);
  return known;
}

// loss[row] = weight / known rows * share * -log softmax(logits)[label]; a NaN label leaves its row out; without row
// weights they are 1.
template <class T>
LossAndGradient<T> softmax_cross_entropy(int rows, int classes, const std::vector<T>& logits,
                                         const std::vector<T>& labels, T weight,
                                         const std::vector<T>& row_weights = {}) {
  LossAndGradient<T> result{std::vector<T>(rows, T(0)), std::vector<T>(logits.size(), T(0))};
  const std::vector<T> p = softmax(rows, classes, logits);
  const int known = count_known(labels);
  for (int row = 0; row < rows; ++row) {
    if (std::isnan(labels[row])) continue;
    const T scale = weight / static_cast<T>(known) * (row_weights.empty() ? T(1) : row_weights[row]);
    const auto first = static_cast<std::size_t>(row) * classes, label = static_cast<std::size_t>(labels[row]);
    const T maximum = *std::max_element(logits.begin() + first, logits.begin() + first + classes);
    T sum = 0;
    for (int i = 0; i < classes; ++i) sum += std::exp(logits[first + i] - maximum);
    result.loss[row] = scale * (std::log(sum) - (logits[first + label] - maximum));
    for (int i = 0; i < classes; ++i) result.gradient[first + i] = scale * p[first + i];
    result.gradient[first + label] -= scale;
  }
  return result;
}

// loss[row] = weight / known entries * sum of softplus(z) - z t; a NaN target leaves its entry out.
template <class T>
LossAndGradient<T> binary_cross_entropy(int rows, int labels, const std::vector<T>& logits,
                                        const std::vector<T>& targets, T weight) {
  LossAndGradient<T> result{std::vector<T>(rows, T(0)), std::vector<T>(logits.size(), T(0))};
  const int known = count_known(targets);
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (std::isnan(targets[i])) continue;
    const T scale = weight / static_cast<T>(known);
    result.loss[i / labels] += scale * ((1 - targets[i]) * softplus(logits[i]) + targets[i] * softplus(-logits[i]));
    // sigmoid(z) - t, without its cancellation when both are nearly 1.
    result.gradient[i] = scale * ((1 - targets[i]) * sigmoid(logits[i]) - targets[i] * sigmoid(-logits[i]));
  }
  return result;
}

}  // namespace preceptor::kernels::reference
