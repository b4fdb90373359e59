// Contrast with a bank as the paper's released code has it, in plain loops: what every device is tested against.
#pragma once

#include <cmath>
#include <vector>

#include "kernels/cross_entropy/reference.h"

namespace preceptor::kernels::reference {

template <class T>
std::vector<T> nce_scores(int rows, int columns, int candidates, const std::vector<T>& anchors,
                          const std::vector<T>& bank, const std::vector<int>& index, T temperature) {
  std::vector<T> scores(static_cast<std::size_t>(rows) * candidates, T(0));
  for (std::size_t i = 0; i < scores.size(); ++i)
    for (int c = 0; c < columns; ++c)
      scores[i] +=
          anchors[i / candidates * columns + c] * bank[static_cast<std::size_t>(index[i]) * columns + c] / temperature;
  return scores;
}

template <class T>
T nce_constant(const std::vector<T>& scores, int images) {
  T sum = 0;
  for (T score : scores) sum += std::exp(score);
  return sum / static_cast<T>(scores.size()) * images;
}

// The gradient is by the scores.
template <class T>
LossAndGradient<T> nce_loss(int rows, int candidates, int images, const std::vector<T>& scores, T constant, T scale) {
  LossAndGradient<T> result{std::vector<T>(rows, T(0)), std::vector<T>(scores.size())};
  const T noise = T(candidates - 1) / images, epsilon = T(1e-7);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const T p = std::exp(scores[i]) / constant, all = p + noise + epsilon;
    const bool own = i % candidates == 0;
    result.loss[i / candidates] -= scale * std::log((own ? p : noise) / all);
    result.gradient[i] = scale * (own ? p / all - 1 : p / all);
  }
  return result;
}

template <class T>
void update_bank(int columns, std::vector<T>& bank, const std::vector<T>& embeddings, const std::vector<int>& positions,
                 T momentum) {
  const std::vector<T> before = bank;
  for (std::size_t row = 0; row < positions.size(); ++row) {
    T squares = 0;
    const std::size_t first = static_cast<std::size_t>(positions[row]) * columns;
    for (int c = 0; c < columns; ++c) {
      bank[first + c] = momentum * before[first + c] + (1 - momentum) * embeddings[row * columns + c];
      squares += bank[first + c] * bank[first + c];
    }
    for (int c = 0; c < columns && squares > 0; ++c) bank[first + c] /= std::sqrt(squares);
  }
}

}  // namespace preceptor::kernels::reference
