// Distillation on softened logits against its reference: all temperatures, extreme logits, unknown labels.
#include "kernels/softened_kl/softened_kl.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/softened_kl/reference.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/gradient_check.h"
#include "tests/support/shapes.h"

namespace preceptor::test {
namespace {

using namespace kernels;

constexpr double temperatures[] = {0.05, 0.5, 1, 4, 20, 100};

double total(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum;
}

// The cpu computes in double and rounds once. What double leaves is relative to the largest logarithm, times T^2 in the
// loss and T in the gradient.
double allowed_here(double expected, double largest_logit, double temperature, double n) {
  const double logarithms = 1 + std::log(n) + 2 * largest_logit / temperature;
  return allowed(0, std::abs(expected), 2) +
         0x1p-53 * (8 + std::sqrt(n)) * logarithms * std::max(temperature, temperature * temperature);
}

double largest_magnitude(const std::vector<float>& a, const std::vector<float>& b) {
  float largest = 0;
  for (const auto* values : {&a, &b})
    for (float value : *values) largest = std::max(largest, std::abs(value));
  return static_cast<double>(largest);
}

TEST(SoftenedKl, ReferenceGradientsMatchFiniteDifferences) {
  Random random("softened kl gradient");
  const auto student = to_double(random.values(3 * 5)), teacher = to_double(random.values(3 * 5));
  std::vector<bool> known(15, true);
  known[2] = known[7] = known[8] = false;
  for (double temperature : {0.5, 1.0, 4.0}) {
    const auto classes = reference::softened_kl(3, 5, student, teacher, temperature, 0.3);
    check_gradient(student, classes.gradient, [&](const auto& at) {
      return total(reference::softened_kl(3, 5, at, teacher, temperature, 0.3).loss);
    });
    const auto labels = reference::softened_binary_kl(3, 5, student, teacher, known, temperature, 0.3);
    check_gradient(student, labels.gradient, [&](const auto& at) {
      return total(reference::softened_binary_kl(3, 5, at, teacher, known, temperature, 0.3).loss);
    });
  }
}

TEST(SoftenedKl, MatchesTheReference) {
  Random random("softened kl");
  Comparison losses("softened kl, loss"), gradients("softened kl, gradient");
  for (double temperature : temperatures)
    for (double size : {1e-15, 1.0, 30.0, 1e4})
      for (int repeat = 0; repeat < 3; ++repeat) {
        const int rows = random.awkward_size(129), classes = random.awkward_size(129);
        SCOPED_TRACE(std::to_string(rows) + "x" + std::to_string(classes) + " T " + std::to_string(temperature) +
                     " size " + std::to_string(size));
        const auto student = random.values(static_cast<std::size_t>(rows) * classes, Kind::normal, size);
        const auto teacher = random.values(student.size(), Kind::normal, size);
        std::vector<float> loss(rows), gradient(student.size());
        const float as_float = static_cast<float>(temperature);
        execute(
            SoftenedKl{student.data(), teacher.data(), loss.data(), gradient.data(), rows, classes, as_float, 0.5f});
        const double t = static_cast<double>(as_float), largest = largest_magnitude(student, teacher);
        const auto expected = reference::softened_kl(rows, classes, to_double(student), to_double(teacher), t, 0.5);
        for (int row = 0; row < rows; ++row)
          losses.check(static_cast<double>(loss[row]), expected.loss[row],
                       allowed_here(expected.loss[row], largest, t, classes), row);
        for (std::size_t i = 0; i < gradient.size(); ++i)
          gradients.check(static_cast<double>(gradient[i]), expected.gradient[i],
                          allowed_here(expected.gradient[i], largest, t, classes), i);
      }
}

TEST(SoftenedKl, BinaryMatchesTheReference) {
  Random random("softened binary kl");
  Comparison losses("softened binary kl, loss"), gradients("softened binary kl, gradient");
  for (double temperature : temperatures)
    for (double size : {1e-15, 1.0, 30.0, 1e4})
      for (bool with_targets : {false, true}) {
        const int rows = random.awkward_size(129), labels = random.awkward_size(33);
        SCOPED_TRACE(std::to_string(rows) + "x" + std::to_string(labels) + " T " + std::to_string(temperature) +
                     " size " + std::to_string(size));
        const auto student = random.values(static_cast<std::size_t>(rows) * labels, Kind::normal, size);
        const auto teacher = random.values(student.size(), Kind::normal, size);
        std::vector<float> targets(student.size(), 1.0f), loss(rows), gradient(student.size(), 1.0f);
        std::vector<bool> known(student.size(), true);
        if (with_targets)
          for (std::size_t i = 0; i < targets.size(); ++i)
            if (random.coin()) {
              targets[i] = std::numeric_limits<float>::quiet_NaN();
              known[i] = false;
            }
        const float as_float = static_cast<float>(temperature);
        execute(SoftenedBinaryKl{student.data(), teacher.data(), with_targets ? targets.data() : nullptr, loss.data(),
                                 gradient.data(), rows, labels, as_float, 0.5f});
        const double t = static_cast<double>(as_float), largest = largest_magnitude(student, teacher);
        const auto expected =
            reference::softened_binary_kl(rows, labels, to_double(student), to_double(teacher), known, t, 0.5);
        for (int row = 0; row < rows; ++row)
          losses.check(static_cast<double>(loss[row]), expected.loss[row],
                       allowed_here(expected.loss[row], largest, t, labels), row);
        for (std::size_t i = 0; i < gradient.size(); ++i)
          gradients.check(static_cast<double>(gradient[i]), expected.gradient[i],
                          known[i] ? allowed_here(expected.gradient[i], largest, t, 1) : 0, i);
      }
}

TEST(SoftenedKl, FiniteForEveryTemperatureAndLogit) {
  std::vector<float> student, teacher;
  for (float s : {-1e4f, -1.0f, 0.0f, 1e4f})
    for (float t : {-1e4f, 0.0f, 1.0f, 1e4f}) {
      student.insert(student.end(), {s, 0});
      teacher.insert(teacher.end(), {t, 0});
    }
  const int rows = static_cast<int>(student.size()) / 2;
  std::vector<float> loss(rows), gradient(student.size());
  const auto all_finite = [&] {
    for (float value : loss) EXPECT_TRUE(std::isfinite(value) && value >= 0) << value;
    for (float value : gradient) EXPECT_TRUE(std::isfinite(value)) << value;
  };
  for (float temperature : {0.05f, 0.1f, 1.0f, 10.0f, 100.0f}) {
    execute(SoftenedKl{student.data(), teacher.data(), loss.data(), gradient.data(), rows, 2, temperature, 1});
    all_finite();
    execute(SoftenedBinaryKl{student.data(), teacher.data(), nullptr, loss.data(), gradient.data(), rows, 2,
                             temperature, 1});
    all_finite();
  }
}

TEST(SoftenedKl, EqualLogitsCostNothing) {
  Random random("softened kl equal");
  const auto logits = random.values(31 * 7, Kind::normal, 10);
  std::vector<float> loss(31), gradient(logits.size());
  execute(SoftenedKl{logits.data(), logits.data(), loss.data(), gradient.data(), 31, 7, 4, 1});
  EXPECT_EQ(loss, std::vector<float>(31, 0.0f));
  EXPECT_EQ(gradient, std::vector<float>(logits.size(), 0.0f));
}

TEST(SoftenedKl, WithoutKnownLabelsLossAndGradientAreZero) {
  const std::vector<float> student(12, 3.0f), teacher(12, -1.0f);
  const std::vector<float> targets(12, std::numeric_limits<float>::quiet_NaN());
  std::vector<float> loss(4, 1.0f), gradient(12, 1.0f);
  execute(SoftenedBinaryKl{student.data(), teacher.data(), targets.data(), loss.data(), gradient.data(), 4, 3, 2, 1});
  EXPECT_EQ(loss, std::vector<float>(4, 0.0f));
  EXPECT_EQ(gradient, std::vector<float>(12, 0.0f));
}

TEST(SoftenedKl, TheSameBitsWhateverTheThreads) {
  Random random("softened kl bits");
  const int rows = 129, columns = 61;
  const auto student = random.values(static_cast<std::size_t>(rows) * columns), teacher = random.values(student.size());
  std::vector<std::vector<float>> first;
  for (int threads : {1, 2, 2}) {
    std::vector<std::vector<float>> now(4);
    for (int i : {0, 2}) now[i].resize(rows), now[i + 1].resize(student.size());
    execute(SoftenedKl{student.data(), teacher.data(), now[0].data(), now[1].data(), rows, columns, 4, 1}, threads);
    execute(
        SoftenedBinaryKl{student.data(), teacher.data(), nullptr, now[2].data(), now[3].data(), rows, columns, 4, 1},
        threads);
    if (first.empty()) first = now;
    for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(same_bits(now[i], first[i])) << threads << " " << i;
  }
}

}  // namespace
}  // namespace preceptor::test
