// Finite differences in double: the bottom of the chain of trust, below the reference gradients.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

namespace preceptor::test {

// Compares `gradient` with central differences of fourth order of `loss` at `point`. With a step of h = 1e-3 the
// formula's own error is h^4 / 30 of the fifth derivative, and rounding adds eps |loss| / h: both are far below 1e-9
// of the sizes of loss and gradient for the smooth functions of order one that are tested here.
template <class Loss>
void check_gradient(std::vector<double> point, const std::vector<double>& gradient, const Loss& loss) {
  ASSERT_EQ(point.size(), gradient.size());
  constexpr double h = 1e-3;
  double largest = 1 + std::abs(loss(point));
  for (double value : gradient) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < point.size(); ++i) {
    const double middle = point[i];
    const auto at = [&](double offset) {
      point[i] = middle + offset;
      return loss(point);
    };
    const double difference = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
    point[i] = middle;
    EXPECT_NEAR(gradient[i], difference, 1e-9 * largest) << "entry " << i;
  }
}

// sum of weights * values: turns a vector-valued function into a loss whose derivative by the values is the weights.
inline double dot(const std::vector<double>& weights, const std::vector<double>& values) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += weights[i] * values[i];
  return sum;
}

}  // namespace preceptor::test
