// The reference of batch normalization against finite differences.
#include <gtest/gtest.h>

#include "tests/kernels/batch_norm_layer.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

using namespace kernels;

TEST(BatchNormReference, GradientMatchesFiniteDifferences) {
  Random random("batch norm gradient");
  const BatchNormSizes sizes{3, 2, 4};
  const auto x = to_double(random.values(sizes.elements())), residual = to_double(random.values(sizes.elements()));
  const auto weights = to_double(random.values(sizes.elements()));
  const auto gamma = to_double(random.values(2)), beta = to_double(random.values(2));
  for (bool fixed : {false, true}) {
    const BatchStatistics<double> given = reference::batch_statistics(sizes, x);
    const auto forward = [&](const std::vector<double>& at, const std::vector<double>& scale,
                             const std::vector<double>& offset) {
      const auto used = fixed ? given : reference::batch_statistics(sizes, at);
      return reference::batch_norm_apply(sizes, at, residual, scale, offset, used, 1e-5, false);
    };
    std::vector<double> inverse;
    for (double variance : given.variance) inverse.push_back(1 / std::sqrt(variance + 1e-5));
    const auto result = reference::batch_norm_backward(sizes, x, {}, weights, gamma, given.mean, inverse, fixed);
    check_gradient(x, result.d_x, [&](const auto& at) { return dot(weights, forward(at, gamma, beta)); });
    check_gradient(gamma, result.d_gamma, [&](const auto& at) { return dot(weights, forward(x, at, beta)); });
    check_gradient(beta, result.d_beta, [&](const auto& at) { return dot(weights, forward(x, gamma, at)); });
    EXPECT_EQ(result.d_residual, weights);
  }
}

}  // namespace
}  // namespace preceptor::test
