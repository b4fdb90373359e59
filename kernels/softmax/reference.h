// Softened probabilities as plain loops: the specification that every device is tested against.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace preceptor::kernels::reference {

template <class T>
std::vector<T> temperature_softmax(int rows, int classes, const std::vector<T>& logits, T temperature,
                                   bool independent) {
  std::vector<T> p(logits.size());
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
    T maximum = -INFINITY, sum = 0;
    for (int i = 0; i < classes; ++i) maximum = std::max(maximum, logits[row * classes + i]);
    for (int i = 0; i < classes; ++i) sum += std::exp((logits[row * classes + i] - maximum) / temperature);
    for (int i = 0; i < classes; ++i) {
      const T z = logits[row * classes + i];
      p[row * classes + i] =
          independent ? 1 / (1 + std::exp(-z / temperature)) : std::exp((z - maximum) / temperature) / sum;
    }
  }
  return p;
}

template <class T>
std::vector<T> temperature_softmax_backward(int rows, int classes, const std::vector<T>& p, const std::vector<T>& d_p,
                                            T temperature, bool independent) {
  std::vector<T> d_logits(p.size());
  for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
    T common = 0;
    for (std::size_t i = row * classes; i < (row + 1) * classes; ++i) common += p[i] * d_p[i];
    for (std::size_t i = row * classes; i < (row + 1) * classes; ++i)
      d_logits[i] = p[i] * (independent ? (1 - p[i]) * d_p[i] : d_p[i] - common) / temperature;
  }
  return d_logits;
}

}  // namespace preceptor::kernels::reference
