// The mean of several members' probabilities as logits, straight from the definition: what every
// device is tested against.
#pragma once

#include <cmath>
#include <vector>

namespace preceptor::kernels::reference {

// logits [members, rows, classes], weights [members, classes]
template <class Real>
std::vector<Real> average_logits(const std::vector<Real>& logits, const std::vector<Real>& weights, int members,
                                 int rows, int classes, bool multi_label) {
  std::vector<Real> combined(static_cast<std::size_t>(rows) * classes);
  for (int row = 0; row < rows; ++row) {
    std::vector<Real> mean(static_cast<std::size_t>(classes)), complement(mean);
    for (int k = 0; k < members; ++k) {
      const Real* z = logits.data() + (static_cast<std::size_t>(k) * rows + row) * classes;
      Real sum = 0;
      for (int c = 0; c < classes; ++c) sum += std::exp(z[c]);
      for (int c = 0; c < classes; ++c) {
        const Real weight = weights[static_cast<std::size_t>(k) * classes + c];
        mean[c] += weight * (multi_label ? 1 / (1 + std::exp(-z[c])) : std::exp(z[c]) / sum);
        complement[c] += weight / (1 + std::exp(z[c]));
      }
    }
    for (int c = 0; c < classes; ++c)
      combined[static_cast<std::size_t>(row) * classes + c] =
          multi_label ? std::log(mean[c]) - std::log(complement[c]) : std::log(mean[c]);
  }
  return combined;
}

}  // namespace preceptor::kernels::reference
