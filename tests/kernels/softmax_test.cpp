// Softened probabilities and their derivatives against the reference on every device.
#include "kernels/softmax/softmax.h"

#include <gtest/gtest.h>

#include "kernels/softmax/reference.h"
#include "tests/kernels/losses.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

TEST(TemperatureSoftmaxReference, GradientMatchesFiniteDifferences) {
  Random random("probabilities gradient");
  const auto logits = to_double(random.values(2 * 4)), d_p = to_double(random.values(2 * 4));
  for (bool independent : {false, true}) {
    const auto p = [&](const auto& z) { return kernels::reference::temperature_softmax(2, 4, z, 1.5, independent); };
    const auto gradient = kernels::reference::temperature_softmax_backward(2, 4, p(logits), d_p, 1.5, independent);
    check_gradient(logits, gradient, [&](const auto& z) { return dot(d_p, p(z)); });
  }
}

struct Problem {
  int rows, classes;
  float temperature;
  bool independent;
  std::vector<float> logits, d_p;

  Problem(Random& random, int row_count, int class_count, double size, float softening, bool of_labels)
      : rows(row_count),
        classes(class_count),
        temperature(softening),
        independent(of_labels),
        logits(random.values(static_cast<std::size_t>(rows) * classes, Kind::normal, size)),
        d_p(random.values(logits.size())) {}
  struct Result {
    std::vector<float> p, d_logits;
    bool operator==(const Result& other) const { return same_bits(p, other.p) && same_bits(d_logits, other.d_logits); }
  };
  template <class Use>
  Result run(const kernels::Device& device, const Use& use) const {
    const std::vector<float> nothing(logits.size(), unknown);
    const DeviceBuffer<float> z(device, logits), p(device, nothing), d(device, d_p), d_z(device, nothing);
    use(kernels::TemperatureSoftmax{z.data(), p.data(), rows, classes, temperature, independent});
    use(kernels::TemperatureSoftmaxBackward{p.data(), d.data(), d_z.data(), rows, classes, temperature, independent});
    return {p.host(), d_z.host()};
  }
  Result run(const kernels::Device& device) const {
    return run(device, [&](const auto& arguments) { execute_on(arguments, device); });
  }
};

class TemperatureSoftmax : public DeviceTest {};

// In double, rounded once; backward starts from the rounded p, whose error reaches all terms of the row.
TEST_P(TemperatureSoftmax, MatchTheReference) {
  Random random("probabilities");
  Comparison values("probabilities, " + name_of(device().kind)), gradients("probabilities, gradient");
  for (int classes : {1, 2, 14, 31, 33, 500})
    for (double size : {1e-3, 1.0, 30.0})
      for (bool independent : {false, true}) {
        const Problem problem(random, classes > 100 ? 2 : 9, classes, size, 2.5f, independent);
        const auto result = problem.run(device());
        const auto p =
            kernels::reference::temperature_softmax(problem.rows, classes, to_double(problem.logits), 2.5, independent);
        const auto d = to_double(problem.d_p);
        const auto gradient =
            kernels::reference::temperature_softmax_backward(problem.rows, classes, p, d, 2.5, independent);
        for (std::size_t i = 0; i < p.size(); ++i) {
          values.check(static_cast<double>(result.p[i]), p[i], allowed(1, p[i], 1), i);
          double size_of_row = std::abs(d[i]);
          const std::size_t row = i / static_cast<std::size_t>(classes);
          for (std::size_t j = row * classes; j < (row + 1) * classes; ++j) size_of_row += p[j] * std::abs(d[j]);
          gradients.check(static_cast<double>(result.d_logits[i]), gradient[i], allowed(1, p[i] * size_of_row / 2.5),
                          i);
        }
      }
}

TEST_P(TemperatureSoftmax, TheSameBitsInAnyOrder) {
  Random random("probabilities bits");
  for (bool independent : {false, true}) {
    const Problem problem(random, 7, 77, 1, 4, independent);
    const auto first = problem.run(device());
    for (const kernels::Device& variant : five_variants(device())) EXPECT_TRUE(problem.run(variant) == first);
  }
}

TEST_P(TemperatureSoftmax, MovesWhatCostSays) {
  if (device().kind != kernels::DeviceKind::emulated || !kernels::emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  Random random("probabilities counters");
  for (bool independent : {false, true}) {
    const Problem problem(random, 16, 256, 1, 4, independent);
    problem.run(device(), [&](const auto& arguments) { expect_moves_what_cost_says(arguments, device(), "16x256"); });
  }
}

INSTANTIATE_ON_ALL_DEVICES(TemperatureSoftmax);

}  // namespace
}  // namespace preceptor::test
