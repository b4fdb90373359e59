// The fully connected layer against its reference: awkward sizes, gradients wanted or not, bitwise repeats.
#include "kernels/linear/linear.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/linear/reference.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/gradient_check.h"
#include "tests/support/shapes.h"

namespace preceptor::test {
namespace {

using namespace kernels;
using reference::LinearSizes;

std::vector<double> magnitudes(const std::vector<float>& values) {
  std::vector<double> result;
  for (float value : values) result.push_back(std::abs(static_cast<double>(value)));
  return result;
}

// Every entry is a sum of n products whose magnitudes add up to `terms`.
void check_all(Comparison& comparison, const std::vector<float>& actual, const std::vector<double>& expected,
               const std::vector<double>& terms, double n) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i)
    comparison.check(static_cast<double>(actual[i]), expected[i], allowed(n, terms[i]), i);
}

TEST(Linear, ReferenceGradientMatchesFiniteDifferences) {
  Random random("linear gradient");
  const LinearSizes sizes{3, 4, 2};
  const auto x = to_double(random.values(12)), weight = to_double(random.values(8)), bias = to_double(random.values(2));
  const auto d_y = to_double(random.values(6));
  const auto gradients = reference::linear_backward(sizes, x, weight, d_y);
  check_gradient(x, gradients.d_x,
                 [&](const auto& at) { return dot(d_y, reference::linear(sizes, at, weight, bias)); });
  check_gradient(weight, gradients.d_weight,
                 [&](const auto& at) { return dot(d_y, reference::linear(sizes, x, at, bias)); });
  check_gradient(bias, gradients.d_bias,
                 [&](const auto& at) { return dot(d_y, reference::linear(sizes, x, weight, at)); });
}

TEST(Linear, MatchesTheReference) {
  Random random("linear");
  Comparison forward("linear forward"), d_x_error("linear backward, d_x");
  Comparison d_weight_error("linear backward, d_weight"), d_bias_error("linear backward, d_bias");
  for (Kind kind : all_kinds)
    for (int repeat = 0; repeat < 12; ++repeat) {
      const LinearSizes s{random.awkward_size(129), random.awkward_size(129), random.awkward_size(129)};
      SCOPED_TRACE(std::to_string(s.rows) + "x" + std::to_string(s.in) + "x" + std::to_string(s.out) + " " +
                   name_of(kind));
      const auto x = random.values(static_cast<std::size_t>(s.rows) * s.in, kind);
      const auto weight = random.values(static_cast<std::size_t>(s.out) * s.in), bias = random.values(s.out);
      const auto d_y = random.values(static_cast<std::size_t>(s.rows) * s.out);
      const bool with_bias = random.coin();
      std::vector<float> y(d_y.size()), d_x(x.size()), d_weight(weight.size()), d_bias(s.out);
      execute(LinearForward{x.data(), weight.data(), with_bias ? bias.data() : nullptr, y.data(), s.rows, s.in, s.out});
      const std::vector<float> used = with_bias ? bias : std::vector<float>{};
      check_all(forward, y, reference::linear(s, to_double(x), to_double(weight), to_double(used)),
                reference::linear(s, magnitudes(x), magnitudes(weight), magnitudes(used)), s.in + 1);

      execute(LinearBackward{x.data(), weight.data(), d_y.data(), d_x.data(), d_weight.data(), d_bias.data(), s.rows,
                             s.in, s.out});
      const auto expected = reference::linear_backward(s, to_double(x), to_double(weight), to_double(d_y));
      const auto terms = reference::linear_backward(s, magnitudes(x), magnitudes(weight), magnitudes(d_y));
      check_all(d_x_error, d_x, expected.d_x, terms.d_x, s.out);
      check_all(d_weight_error, d_weight, expected.d_weight, terms.d_weight, s.rows);
      check_all(d_bias_error, d_bias, expected.d_bias, terms.d_bias, s.rows);
    }
}

TEST(Linear, OnlyTheWantedGradientsAreWritten) {
  Random random("linear wanted");
  const LinearSizes s{33, 31, 7};
  const auto x = random.values(33 * 31), weight = random.values(7 * 31), d_y = random.values(33 * 7);
  std::vector<float> d_x(x.size()), d_weight(weight.size()), d_bias(7), other(x.size(), 5.0f);
  execute(LinearBackward{x.data(), weight.data(), d_y.data(), d_x.data(), d_weight.data(), d_bias.data(), s.rows, s.in,
                         s.out});
  const auto all = d_weight;
  d_weight.assign(d_weight.size(), 0);
  execute(LinearBackward{x.data(), weight.data(), d_y.data(), nullptr, d_weight.data(), nullptr, s.rows, s.in, s.out});
  EXPECT_TRUE(same_bits(all, d_weight));
  execute(LinearBackward{x.data(), weight.data(), d_y.data(), other.data(), nullptr, nullptr, s.rows, s.in, s.out});
  EXPECT_TRUE(same_bits(other, d_x));
}

TEST(Linear, TheSameBitsTwice) {
  Random random("linear bits");
  const LinearSizes s{129, 127, 61};
  const auto x = random.values(129 * 127), weight = random.values(61 * 127), d_y = random.values(129 * 61);
  std::vector<std::vector<float>> first;
  for (int repeat = 0; repeat < 2; ++repeat) {
    std::vector<std::vector<float>> now{d_y, x, weight, std::vector<float>(61)};
    execute(LinearForward{x.data(), weight.data(), weight.data(), now[0].data(), s.rows, s.in, s.out});
    execute(LinearBackward{x.data(), weight.data(), d_y.data(), now[1].data(), now[2].data(), now[3].data(), s.rows,
                           s.in, s.out});
    if (first.empty()) first = now;
    for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(same_bits(now[i], first[i])) << i;
  }
}

}  // namespace
}  // namespace preceptor::test
