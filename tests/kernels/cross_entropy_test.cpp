// Losses on labels against their reference: unknown labels, extreme logits, probabilities.
#include "kernels/cross_entropy/cross_entropy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/cross_entropy/reference.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/gradient_check.h"
#include "tests/support/shapes.h"

namespace preceptor::test {
namespace {

using namespace kernels;

constexpr float unknown = std::numeric_limits<float>::quiet_NaN();

double total(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum;
}

std::vector<float> random_labels(Random& random, int rows, int classes) {
  std::vector<float> labels(rows);
  for (float& label : labels)
    label = random.integer(0, 4) == 0 ? unknown : static_cast<float>(random.integer(0, classes - 1));
  return labels;
}

std::vector<float> random_targets(Random& random, std::size_t count) {
  std::vector<float> targets(count);
  for (float& target : targets) {
    const int choice = random.integer(0, 4);
    target = choice == 0   ? unknown
             : choice == 1 ? static_cast<float>(random.uniform(0, 1))
                           : static_cast<float>(choice & 1);
  }
  return targets;
}

TEST(CrossEntropy, ReferenceGradientsMatchFiniteDifferences) {
  Random random("cross entropy gradient");
  const auto logits = to_double(random.values(4 * 5));
  const auto labels = std::vector<double>{2, static_cast<double>(unknown), 0, 4};
  const auto softmax = reference::softmax_cross_entropy(4, 5, logits, labels, 0.7);
  check_gradient(logits, softmax.gradient,
                 [&](const auto& at) { return total(reference::softmax_cross_entropy(4, 5, at, labels, 0.7).loss); });
  const auto targets = to_double(random_targets(random, logits.size()));
  const auto binary = reference::binary_cross_entropy(4, 5, logits, targets, 0.7);
  check_gradient(logits, binary.gradient,
                 [&](const auto& at) { return total(reference::binary_cross_entropy(4, 5, at, targets, 0.7).loss); });
}

// exp() of a difference d that was rounded has the relative error |d| eps: the c of every exponential is 4 + |d|.
TEST(CrossEntropy, SoftmaxMatchesTheReference) {
  Random random("softmax cross entropy");
  Comparison losses("softmax cross entropy, loss"), gradients("softmax cross entropy, gradient");
  Comparison probabilities("softmax");
  for (double size : {1e-15, 1.0, 30.0, 1e4})
    for (int repeat = 0; repeat < 12; ++repeat) {
      const int rows = random.awkward_size(129), classes = random.awkward_size(129);
      SCOPED_TRACE(std::to_string(rows) + "x" + std::to_string(classes) + " size " + std::to_string(size));
      const auto logits = random.values(static_cast<std::size_t>(rows) * classes, Kind::normal, size);
      const auto labels = random_labels(random, rows, classes);
      std::vector<float> loss(rows), gradient(logits.size()), p(logits.size());
      execute(SoftmaxCrossEntropy{logits.data(), labels.data(), loss.data(), gradient.data(), rows, classes, 0.5f});
      execute(Softmax{logits.data(), p.data(), rows, classes});
      const auto wide = to_double(logits), wide_labels = to_double(labels);
      const auto expected = reference::softmax_cross_entropy(rows, classes, wide, wide_labels, 0.5);
      const auto p_expected = reference::softmax(rows, classes, wide);
      const double scale = 0.5 / reference::count_known(wide_labels);
      for (int row = 0; row < rows; ++row) {
        const auto first = static_cast<std::size_t>(row) * classes;
        const double maximum = *std::max_element(wide.begin() + first, wide.begin() + first + classes);
        double shares = 0;  // sum of p (1 + |d|): the error of the sum of exponentials
        for (int i = 0; i < classes; ++i) shares += p_expected[first + i] * (1 + maximum - wide[first + i]);
        const double error = allowed(classes, shares);
        losses.check(static_cast<double>(loss[row]), expected.loss[row],
                     std::isnan(labels[row]) ? 0 : scale * error + allowed(1, expected.loss[row]), row);
        for (int i = 0; i < classes; ++i) {
          const std::size_t at = first + i;
          const double own = p_expected[at] * (error + allowed(1, 1 + maximum - wide[at]));
          probabilities.check(static_cast<double>(p[at]), p_expected[at], own + allowed(1, 0), at);
          const double here = i == static_cast<int>(labels[row]) ? error : own;
          gradients.check(static_cast<double>(gradient[at]), expected.gradient[at],
                          std::isnan(labels[row]) ? 0 : scale * here + allowed(2, std::abs(expected.gradient[at])), at);
        }
      }
    }
}

TEST(CrossEntropy, BinaryMatchesTheReference) {
  Random random("binary cross entropy");
  Comparison losses("binary cross entropy, loss"), gradients("binary cross entropy, gradient");
  Comparison probabilities("sigmoid");
  for (double size : {1e-15, 1.0, 30.0, 1e4})
    for (int repeat = 0; repeat < 12; ++repeat) {
      const int rows = random.awkward_size(129), labels = random.awkward_size(33);
      SCOPED_TRACE(std::to_string(rows) + "x" + std::to_string(labels) + " size " + std::to_string(size));
      const auto logits = random.values(static_cast<std::size_t>(rows) * labels, Kind::normal, size);
      const auto targets = random_targets(random, logits.size());
      std::vector<float> loss(rows), gradient(logits.size()), p(logits.size());
      execute(BinaryCrossEntropy{logits.data(), targets.data(), loss.data(), gradient.data(), rows, labels, 0.5f});
      execute(Sigmoid{logits.data(), p.data(), static_cast<std::int64_t>(logits.size())});
      const auto expected = reference::binary_cross_entropy(rows, labels, to_double(logits), to_double(targets), 0.5);
      const int known = reference::count_known(to_double(targets));
      for (int row = 0; row < rows; ++row)  // all terms are positive, so their sum is the loss
        losses.check(static_cast<double>(loss[row]), expected.loss[row], allowed(labels, expected.loss[row], 8), row);
      for (std::size_t i = 0; i < logits.size(); ++i) {
        const double q = reference::sigmoid(static_cast<double>(logits[i]));
        probabilities.check(static_cast<double>(p[i]), q, allowed(1, q), i);
        const double target = static_cast<double>(targets[i]);
        const double complement = reference::sigmoid(-static_cast<double>(logits[i]));
        // The gradient is a difference of (1 - t) q and t (1 - q).
        const double terms = std::isnan(target) ? 0 : 0.5 / known * ((1 - target) * q + target * complement);
        gradients.check(static_cast<double>(gradient[i]), expected.gradient[i], allowed(2, terms, 8), i);
      }
    }
}

TEST(CrossEntropy, WithoutKnownLabelsLossAndGradientAreZero) {
  const std::vector<float> logits(12, 3.0f), targets(12, unknown), zeros(12, 0.0f), zero_losses(4, 0.0f);
  std::vector<float> loss(4, 1.0f), gradient(12, 1.0f);
  execute(SoftmaxCrossEntropy{logits.data(), targets.data(), loss.data(), gradient.data(), 4, 3, 1.0f});
  EXPECT_EQ(loss, zero_losses);
  EXPECT_EQ(gradient, zeros);
  loss.assign(4, 1.0f), gradient.assign(12, 1.0f);
  execute(BinaryCrossEntropy{logits.data(), targets.data(), loss.data(), gradient.data(), 4, 3, 1.0f});
  EXPECT_EQ(loss, zero_losses);
  EXPECT_EQ(gradient, zeros);
}

// What 1 - p and log(sum) of plain float code cannot say: a confident row still has a loss and a gradient.
TEST(CrossEntropy, ConfidentRowsKeepTheirDigits) {
  const std::vector<float> logits{40, 0, 0}, labels{0};
  std::vector<float> loss(1), gradient(3);
  execute(SoftmaxCrossEntropy{logits.data(), labels.data(), loss.data(), gradient.data(), 1, 3, 1.0f});
  const double small = 2 * std::exp(-40.0);
  EXPECT_NEAR(static_cast<double>(loss[0]), small, 1e-6 * small);
  EXPECT_NEAR(static_cast<double>(gradient[0]), -small, 1e-6 * small);
}

TEST(CrossEntropy, ProbabilitiesMayOverwriteTheLogits) {
  Random random("probabilities in place");
  const auto logits = random.values(33 * 7);
  std::vector<float> apart(logits.size()), in_place = logits;
  execute(Softmax{logits.data(), apart.data(), 33, 7});
  execute(Softmax{in_place.data(), in_place.data(), 33, 7});
  EXPECT_TRUE(same_bits(apart, in_place));
  in_place = logits;
  execute(Sigmoid{logits.data(), apart.data(), 33 * 7});
  execute(Sigmoid{in_place.data(), in_place.data(), 33 * 7});
  EXPECT_TRUE(same_bits(apart, in_place));
}

TEST(CrossEntropy, TheSameBitsWhateverTheThreads) {
  Random random("cross entropy bits");
  const int rows = 129, columns = 61;
  const auto logits = random.values(static_cast<std::size_t>(rows) * columns);
  const auto targets = random_targets(random, logits.size()), labels = random_labels(random, rows, columns);
  std::vector<std::vector<float>> first;
  for (int threads : {1, 2, 2}) {
    std::vector<std::vector<float>> now(4);
    for (int i : {0, 2}) now[i].resize(rows), now[i + 1].resize(logits.size());
    execute(SoftmaxCrossEntropy{logits.data(), labels.data(), now[0].data(), now[1].data(), rows, columns, 1}, threads);
    execute(BinaryCrossEntropy{logits.data(), targets.data(), now[2].data(), now[3].data(), rows, columns, 1}, threads);
    if (first.empty()) first = now;
    for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(same_bits(now[i], first[i])) << threads << " " << i;
  }
}

}  // namespace
}  // namespace preceptor::test
