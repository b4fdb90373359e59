// The multi-label form of softened KL on every device: unknown labels, confident teachers, any number of labels.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/kernels/softened_kl_problem.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

using namespace kernels;

TEST(SoftenedBinaryKlReference, GradientsMatchFiniteDifferences) {
  Random random("softened binary kl gradient");
  const auto student = to_double(random.values(3 * 5)), teacher = to_double(random.values(3 * 5));
  std::vector<bool> known(15, true);
  known[2] = known[7] = known[8] = false;
  for (double temperature : {0.5, 1.0, 4.0}) {
    const auto result = reference::softened_binary_kl(3, 5, student, teacher, known, temperature, 0.3);
    check_gradient(student, result.gradient, [&](const auto& at) {
      return total(reference::softened_binary_kl(3, 5, at, teacher, known, temperature, 0.3).loss);
    });
  }
}

template <class T>
struct BinaryProblem {
  int rows, labels;
  float temperature, weight = 0.5f, of_present = 1, of_absent = 1;
  std::vector<T> student, teacher;
  std::vector<float> targets;  // empty: all count
  int offset = 0, teacher_offset = 0, targets_offset = 0;

  BinaryProblem(Random& random, int row_count, int label_count, float t, double size, bool with_targets)
      : rows(row_count), labels(label_count), temperature(t) {
    const auto entries = static_cast<std::size_t>(rows) * labels;
    student = stored<T>(random.values(entries, Kind::normal, size));
    teacher = stored<T>(random.values(entries, Kind::normal, size));
    if (with_targets)
      for (std::size_t i = 0; i < entries; ++i) targets.push_back(random.coin() ? 1.0f : unknown);
  }
  std::string text() const {
    return std::to_string(rows) + "x" + std::to_string(labels) + " T " + std::to_string(temperature) +
           (targets.empty() ? "" : ", targets");
  }

  // launch(arguments) runs them on the device.
  template <class Launch>
  LossAndGradient<T> run(const Device& device, const Launch& launch) const {
    const OffsetBuffer<T> s(device, offset, student), t(device, teacher_offset, teacher);
    const OffsetBuffer<T> d_student(device, offset, std::vector<T>(student.size(), static_cast<T>(unknown)));
    const OffsetBuffer<float> y(device, targets_offset, or_one(targets));
    const DeviceBuffer<float> loss(device, std::vector<float>(static_cast<std::size_t>(rows), unknown));
    launch(kernels::SoftenedBinaryKl<T>{.student = s.data(),
                                        .teacher = t.data(),
                                        .targets = targets.empty() ? nullptr : y.data(),
                                        .loss = loss.data(),
                                        .d_student = d_student.data(),
                                        .rows = rows,
                                        .labels = labels,
                                        .temperature = temperature,
                                        .weight = weight,
                                        .of_present = of_present,
                                        .of_absent = of_absent});
    return {loss.host(), d_student.host()};
  }
  LossAndGradient<T> run(const Device& device) const {
    return run(device, [&](const auto& arguments) { execute_on(arguments, device); });
  }

  // An entry is a row of two classes with the logits |t| and 0, the student's flipped with them: softened_kl_error.h
  // bounds it.
  void check(const LossAndGradient<T>& actual, bool in_double, Comparison& losses, Comparison& gradients) const {
    const auto s = widened(student), t = widened(teacher);
    const double wide = static_cast<double>(temperature);
    std::vector<bool> known(s.size(), true);
    for (std::size_t i = 0; i < targets.size(); ++i) known[i] = !std::isnan(targets[i]);
    std::vector<double> shares(s.size(), 1);
    for (std::size_t i = 0; i < targets.size(); ++i)
      if (known[i]) shares[i] = static_cast<double>(targets[i] * of_present + (1 - targets[i]) * of_absent);
    const auto expected =
        reference::softened_binary_kl(rows, labels, s, t, known, wide, static_cast<double>(weight), shares);
    const auto count = std::count(known.begin(), known.end(), true);
    const double mean = count ? static_cast<double>(weight) / static_cast<double>(count) : 0;
    for (int row = 0; row < rows; ++row) {
      double loss_error = 0;
      for (std::size_t i = static_cast<std::size_t>(row) * labels; i < static_cast<std::size_t>(row + 1) * labels;
           ++i) {
        const double logarithms = 2 + 2 * std::max(std::abs(s[i]), std::abs(t[i])) / wide;
        const double of_double = 16 * 0x1p-53 * logarithms, scale = mean * shares[i];
        RowError error;
        error.gradient = {0, 0};
        if (!in_double) {
          const double two_s[2] = {std::copysign(1.0, t[i]) * s[i], 0}, two_t[2] = {std::abs(t[i]), 0};
          error = softened_kl_error(two_s, two_t, 2, wide);
        }
        if (known[i]) loss_error += scale * (error.loss + wide * wide * of_double);
        double gradient_error =
            allowed(0, std::abs(expected.gradient[i]), 3) + scale * (error.gradient[1] + wide * of_double);
        gradient_error = with_storage<T>(gradient_error, expected.gradient[i]);
        gradients.check(static_cast<double>(static_cast<float>(actual.gradient[i])), expected.gradient[i],
                        known[i] ? gradient_error : 0, i);
      }
      // The row's terms are positive: their sum is the sum of their sizes.
      losses.check(static_cast<double>(actual.loss[row]), expected.loss[row],
                   loss_error + allowed(in_double ? 0 : labels, expected.loss[row], 6), row);
    }
  }
};

class SoftenedBinaryKl : public DeviceTest {
 protected:
  std::string label(const char* what, std::size_t bytes) const {
    return "softened binary kl, " + name_of(device().kind) + (bytes == 4 ? ", float, " : ", bfloat16, ") + what;
  }
};

TEST_P(SoftenedBinaryKl, MatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("softened binary kl");
    Comparison losses(label("loss", sizeof(T))), gradients(label("gradient", sizeof(T)));
    for (float temperature : {0.05f, 0.5f, 1.0f, 4.0f, 20.0f, 100.0f})
      for (double size : {1e-15, 1.0, 30.0, 1e4})
        for (bool with_targets : {false, true}) {
          const BinaryProblem<T> problem(random, random.awkward_size(129), random.awkward_size(33), temperature, size,
                                         with_targets);
          SCOPED_TRACE(problem.text() + " size " + std::to_string(size));
          problem.check(problem.run(device()), on_cpu(), losses, gradients);
        }
  });
}

// Decoupled by target: the labels that an image has weigh more than those that it has not; soft targets in between.
TEST_P(SoftenedBinaryKl, EntriesWeighByTheirTargets) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("softened binary kl targets");
    Comparison losses(label("loss", sizeof(T))), gradients(label("gradient", sizeof(T)));
    for (const auto& [rows, labels] : {std::pair{5, 14}, {300, 33}}) {
      BinaryProblem<T> problem(random, rows, labels, 4, 1, true);
      for (float& target : problem.targets) target = random.coin() ? target : random.coin() ? 0.0f : 0.25f;
      problem.of_present = 2;
      problem.of_absent = 0.5f;
      SCOPED_TRACE(problem.text());
      problem.check(problem.run(device()), on_cpu(), losses, gradients);
    }
  });
}

// One label to several thousand: many rows in a tile of 1024 values, one row, and rows of several tiles; also more
// tiles than there are blocks.
TEST_P(SoftenedBinaryKl, AnyNumberOfLabels) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("softened binary kl labels");
    Comparison losses(label("loss", sizeof(T))), gradients(label("gradient", sizeof(T)));
    for (const auto& [rows, labels] : {std::pair{1, 1},
                                       {129, 1},
                                       {4000, 7},
                                       {400, 14},
                                       {5, 100},
                                       {17, 600},
                                       {3, 1023},
                                       {3, 1024},
                                       {3, 1025},
                                       {2, 4099}})
      for (bool with_targets : {false, true}) {
        if (watched(device()) && rows * labels > 30000) continue;
        const BinaryProblem<T> problem(random, rows, labels, 2, 3, with_targets);
        SCOPED_TRACE(problem.text());
        problem.check(problem.run(device()), on_cpu(), losses, gradients);
      }
  });
}

TEST_P(SoftenedBinaryKl, ArraysMayBeginAnywhere) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("softened binary kl offsets");
    Comparison losses(label("loss", sizeof(T))), gradients(label("gradient", sizeof(T)));
    for (int labels : {3, 14, 129})
      for (int offset : {0, 1, 4, 7}) {
        BinaryProblem<T> problem(random, 11, labels, 4, 2, true);
        problem.offset = offset;
        problem.teacher_offset = offset % 3;
        problem.targets_offset = offset + 1;
        SCOPED_TRACE(problem.text() + " offset " + std::to_string(offset));
        problem.check(problem.run(device()), on_cpu(), losses, gradients);
      }
  });
}

TEST_P(SoftenedBinaryKl, FiniteForEveryTemperatureAndLogit) {
  Random random("softened binary kl finite");
  BinaryProblem<float> problem(random, 8, 2, 1, 1, false);
  problem.student.clear();
  problem.teacher.clear();
  for (float s : {-1e4f, -1.0f, 0.0f, 1e4f})
    for (float t : {-1e4f, 0.0f, 1.0f, 1e4f}) {
      problem.student.push_back(s);
      problem.teacher.push_back(t);
    }
  for (float temperature : {0.05f, 0.1f, 1.0f, 10.0f, 100.0f}) {
    problem.temperature = temperature;
    const auto result = problem.run(device());
    for (float value : result.loss) EXPECT_TRUE(std::isfinite(value) && value >= 0) << value;
    for (float value : result.gradient) EXPECT_TRUE(std::isfinite(value)) << value;
  }
}

TEST_P(SoftenedBinaryKl, EqualLogitsCostNothing) {
  Random random("softened binary kl equal");
  BinaryProblem<float> problem(random, 31, 7, 4, 10, false);
  problem.teacher = problem.student;
  const auto result = problem.run(device());
  EXPECT_EQ(result.loss, std::vector<float>(31, 0.0f));
  EXPECT_EQ(result.gradient, std::vector<float>(31 * 7, 0.0f));
}

TEST_P(SoftenedBinaryKl, WithoutKnownLabelsLossAndGradientAreZero) {
  Random random("softened binary kl unknown");
  BinaryProblem<float> problem(random, 4, 3, 2, 3, true);
  problem.targets.assign(12, unknown);
  const auto result = problem.run(device());
  EXPECT_EQ(result.loss, std::vector<float>(4, 0.0f));
  EXPECT_EQ(result.gradient, std::vector<float>(12, 0.0f));
}

TEST_P(SoftenedBinaryKl, TheSameBitsInEveryOrder) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("softened binary kl bits");
    const BinaryProblem<T> problem(random, 129, 14, 4, 3, true), one_row(random, 1, 1500, 4, 3, true);
    const auto first = problem.run(device()), of_one_row = one_row.run(device());
    for (const Device& order : five_variants(device())) {
      EXPECT_TRUE(problem.run(order) == first);
      EXPECT_TRUE(one_row.run(order) == of_one_row);
    }
  });
}

// With targets up to 4096 entries; above, blocks read all targets again, from L2 (kernels/softened_kl/README.md).
TEST_P(SoftenedBinaryKl, MovesWhatCostSays) {
  if (device().kind != DeviceKind::emulated || !emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("softened binary kl counters");
    for (bool with_targets : {false, true}) {
      BinaryProblem<T> problem(random, 128, 14, 4, 3, with_targets);
      // All known: where lanes skip entries, the counters no longer pair their accesses as a warp does.
      if (with_targets) problem.targets.assign(problem.targets.size(), 1.0f);
      problem.run(device(), [&](const auto& arguments) {
        expect_moves_what_cost_says(arguments, device(), problem.text() + ", " + name_of_storage<T>());
      });
    }
  });
}

INSTANTIATE_ON_ALL_DEVICES(SoftenedBinaryKl);

}  // namespace
}  // namespace preceptor::test
