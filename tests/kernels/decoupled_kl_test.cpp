// Decoupled distillation against its reference on every device: confident networks, unknown labels, orders of threads.
#include "kernels/decoupled_kl/decoupled_kl.h"

#include <gtest/gtest.h>

#include "kernels/decoupled_kl/reference.h"
#include "tests/kernels/losses.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

constexpr double of_target = 1.5, of_others = 8, scale = 0.25;

TEST(DecoupledKlReference, GradientMatchesFiniteDifferences) {
  Random random("decoupled gradient");
  const auto student = to_double(random.values(3 * 4)), teacher = to_double(random.values(3 * 4));
  const std::vector<double> labels = {2, NAN, 0};
  const auto at = [&](const std::vector<double>& x) {
    return kernels::reference::decoupled_kl(3, 4, x, teacher, labels, 2.0, of_target, of_others, scale);
  };
  check_gradient(student, at(student).gradient, [&](const auto& x) { return total(at(x).loss); });
}

// With equal weights of both parts, times the share of the others, it is the whole divergence: equation 6 of the paper.
TEST(DecoupledKlReference, AddsUpToTheWholeDivergence) {
  const std::vector<double> student = {0.5, -1, 2, 0.1}, teacher = {1, 0.3, -0.4, 1.2};
  const auto part = [&](double target, double others) {
    return kernels::reference::decoupled_kl(1, 4, student, teacher, {1.0}, 1.0, target, others, 1.0).loss[0];
  };
  const auto p = kernels::reference::softened_without(teacher.data(), 4, 1.0, -1);
  const auto q = kernels::reference::softened_without(student.data(), 4, 1.0, -1);
  double whole = 0;
  for (int i = 0; i < 4; ++i) whole += p[i] * std::log(p[i] / q[i]);
  EXPECT_NEAR(part(1, 1 - p[1]), whole, 1e-14);
}

struct Problem {
  int rows, classes;
  float temperature = 4;
  std::vector<float> student, teacher;
  std::vector<float> labels;

  Problem(Random& random, int row_count, int class_count, double size = 1)
      : rows(row_count),
        classes(class_count),
        student(random.values(entries(), Kind::normal, size)),
        teacher(random.values(entries(), Kind::normal, size)) {
    for (int row = 0; row < rows; ++row)
      labels.push_back(row % 5 == 3 ? unknown : static_cast<float>(random.integer(0, classes - 1)));
  }
  std::size_t entries() const { return static_cast<std::size_t>(rows) * classes; }
  std::string text() const {
    return std::to_string(rows) + "x" + std::to_string(classes) + ", T " + std::to_string(temperature);
  }
  template <class Use>
  LossAndGradient<float> run(const kernels::Device& device, const Use& use) const {
    const DeviceBuffer<float> s(device, student), t(device, teacher);
    const DeviceBuffer<float> d_s(device, std::vector<float>(entries(), unknown));
    const DeviceBuffer<float> of(device, labels),
        loss(device, std::vector<float>(static_cast<std::size_t>(rows), unknown));
    use(kernels::DecoupledKl{s.data(), t.data(), of.data(), loss.data(), d_s.data(), rows, classes, temperature,
                             static_cast<float>(of_target), static_cast<float>(of_others), static_cast<float>(scale)});
    return {loss.host(), d_s.host()};
  }
  LossAndGradient<float> run(const kernels::Device& device) const {
    return run(device, [&](const auto& arguments) { execute_on(arguments, device); });
  }

  // Computed in double and rounded once. Where a side has lost its digits in double too (the reference forms q - p and
  // p log(p / q) as they are written), 2^-45 of the terms' size is left.
  void check(const LossAndGradient<float>& result, Comparison& losses, Comparison& gradients) const {
    const std::vector<double> wide_labels(labels.begin(), labels.end());
    const auto expected =
        kernels::reference::decoupled_kl(rows, classes, widened(student), widened(teacher), wide_labels,
                                         static_cast<double>(temperature), of_target, of_others, scale);
    const double t = static_cast<double>(temperature);
    for (std::size_t row = 0; row < result.loss.size(); ++row)
      losses.check(static_cast<double>(result.loss[row]), expected.loss[row],
                   allowed(1, std::abs(expected.loss[row]), 1) + 0x1p-45 * scale * t * t * (of_target + of_others),
                   row);
    const auto gradient = widened(result.gradient);
    for (std::size_t i = 0; i < gradient.size(); ++i)
      gradients.check(gradient[i], expected.gradient[i],
                      allowed(1, std::abs(expected.gradient[i]), 1) + 0x1p-45 * scale * t * of_others, i);
  }
};

class DecoupledKl : public DeviceTest {};

TEST_P(DecoupledKl, MatchesTheReference) {
  Random random("decoupled");
  const std::string label = "decoupled_kl, " + name_of(device().kind);
  Comparison losses(label + ", loss"), gradients(label + ", gradient");
  for (int classes : {2, 3, 14, 31, 32, 33, 100, 1000})
    for (float temperature : {1.0f, 4.0f})
      for (double size : {1e-3, 1.0, 6.0}) {
        Problem problem(random, classes > 100 ? 3 : 9, classes, size);
        problem.temperature = temperature;
        SCOPED_TRACE(problem.text());
        problem.check(problem.run(device()), losses, gradients);
      }
}

TEST_P(DecoupledKl, UnknownLabelsAreLeftOutAndEqualNetworksCostNothing) {
  Random random("decoupled unknown");
  Problem problem(random, 5, 7, 30);
  problem.teacher = problem.student;
  auto result = problem.run(device());
  // If two networks agree, a difference of equal logs is left, in whatever order a compiler takes it.
  const double largest = 0x1p-45 * scale * 16 * (of_target + of_others) * 30;
  for (float loss : result.loss) EXPECT_NEAR(static_cast<double>(loss), 0, largest);
  problem.teacher[3 * 7] += 1;
  result = problem.run(device());
  EXPECT_EQ(result.loss[3], 0);
  for (std::size_t i = 3 * 7; i < 4 * 7; ++i) EXPECT_EQ(result.gradient[i], 0);
}

// Logits of 100 and more: nothing overflows, and the loss is that of the leads.
TEST_P(DecoupledKl, SurvivesConfidentNetworks) {
  Random random("decoupled confident");
  for (double size : {1e2, 1e4}) {
    Problem problem(random, 8, 5, size);
    const auto result = problem.run(device());
    for (float loss : result.loss) EXPECT_TRUE(std::isfinite(loss) && loss >= 0) << loss;
    for (float value : result.gradient) EXPECT_TRUE(std::isfinite(value));
  }
}

TEST_P(DecoupledKl, TheSameBitsInAnyOrder) {
  Random random("decoupled bits");
  const Problem problem(random, 13, 77);
  const auto first = problem.run(device());
  for (const kernels::Device& variant : five_variants(device())) EXPECT_TRUE(problem.run(variant) == first);
}

TEST_P(DecoupledKl, MovesWhatCostSays) {
  if (device().kind != kernels::DeviceKind::emulated || !kernels::emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  Random random("decoupled counters");
  Problem problem(random, 16, 256);
  for (float& label : problem.labels) label = 3;
  problem.run(device(),
              [&](const auto& arguments) { expect_moves_what_cost_says(arguments, device(), problem.text()); });
}

INSTANTIATE_ON_ALL_DEVICES(DecoupledKl);

}  // namespace
}  // namespace preceptor::test
