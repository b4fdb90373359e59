// Losses on differences against their reference on every device: all kinds, shapes, alignments, orders of threads.
#include "kernels/pointwise_loss/pointwise_loss.h"

#include <gtest/gtest.h>

#include "kernels/pointwise_loss/reference.h"
#include "tests/kernels/losses.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

using kernels::PointwiseLossKind;

constexpr PointwiseLossKind kinds[] = {PointwiseLossKind::square, PointwiseLossKind::correlation,
                                       PointwiseLossKind::boundary, PointwiseLossKind::partial,
                                       PointwiseLossKind::absolute};
constexpr float parameter = 0.5f;

TEST(PointwiseLossReference, GradientMatchesFiniteDifferences) {
  // None within a step of a kink: s of +-1/2; both sides of them are there.
  const std::vector<double> student = {0.2, -0.3, 0.7, -0.8, 1.4, -1.1, 0.9, -0.2},
                            teacher = {0.1, 0.6, 0.9, -0.4, -0.7, -1.9, -0.1, -0.6};
  for (PointwiseLossKind kind : kinds) {
    const auto at = [&](const std::vector<double>& x) {
      return kernels::reference::pointwise_loss(kind, 2, 4, x, teacher, 0.3, 0.5);
    };
    check_gradient(student, at(student).gradient, [&](const auto& x) { return at(x).loss[0] + at(x).loss[1]; });
  }
}

template <class T>
struct Problem {
  PointwiseLossKind kind;
  int rows, columns, offset = 0;
  bool has_teacher = true;
  float scale = 0.75f;
  std::vector<T> student, teacher;

  Problem(Random& random, PointwiseLossKind of, int row_count, int column_count, Kind values = Kind::normal)
      : kind(of),
        rows(row_count),
        columns(column_count),
        student(stored<T>(random.values(entries(), values))),
        teacher(stored<T>(random.values(entries()))) {}
  std::size_t entries() const { return static_cast<std::size_t>(rows) * columns; }
  std::string text() const {
    return std::to_string(rows) + "x" + std::to_string(columns) + ", kind " + std::to_string(static_cast<int>(kind)) +
           ", offset " + std::to_string(offset) + ", " + name_of_storage<T>();
  }
  template <class Use>
  LossAndGradient<T> run(const kernels::Device& device, const Use& use) const {
    const OffsetBuffer<T> s(device, offset, student), t(device, offset, teacher);
    const OffsetBuffer<T> d_s(device, offset, std::vector<T>(entries(), static_cast<T>(unknown)));
    const DeviceBuffer<float> loss(device, std::vector<float>(static_cast<std::size_t>(rows), unknown));
    use(kernels::PointwiseLoss<T>{s.data(), has_teacher ? t.data() : nullptr, loss.data(), d_s.data(), rows, columns,
                                  kind, scale, parameter});
    return {loss.host(), d_s.host()};
  }
  LossAndGradient<T> run(const kernels::Device& device) const {
    return run(device, [&](const auto& arguments) { execute_on(arguments, device); });
  }

  // x = s - t is rounded once and what follows are at most 8 roundings of positive factors, so loss and derivative are
  // good to that many of their terms' sizes; those of the polynomials of `correlation` are of size 4 (1 + |s| + |t|)^3.
  void check(const LossAndGradient<T>& result, Comparison& losses, Comparison& gradients) const {
    const auto s = widened(student), t = has_teacher ? widened(teacher) : std::vector<double>();
    const double p = static_cast<double>(parameter);
    const auto expected = kernels::reference::pointwise_loss(kind, rows, columns, s, t, static_cast<double>(scale), p);
    const auto gradient = widened(result.gradient);
    std::vector<double> sizes(static_cast<std::size_t>(rows), 0.0);
    for (std::size_t i = 0; i < s.size(); ++i) {
      const double whole = 1 + std::abs(s[i]) + (has_teacher ? std::abs(t[i]) : 0);
      const bool polynomial = kind == PointwiseLossKind::correlation;
      const double term = std::abs(kernels::reference::difference_term(kind, s[i], has_teacher ? t[i] : 0, p).first);
      const double slope =
          polynomial ? 4 * whole * whole * whole : std::abs(expected.gradient[i] / static_cast<double>(scale));
      sizes[i / static_cast<std::size_t>(columns)] +=
          static_cast<double>(scale) * (term + (polynomial ? slope * whole : 0));
      gradients.check(gradient[i], expected.gradient[i],
                      with_storage<T>(allowed(1, static_cast<double>(scale) * slope, 8), expected.gradient[i]), i);
    }
    for (std::size_t row = 0; row < sizes.size(); ++row)
      losses.check(static_cast<double>(result.loss[row]), expected.loss[row], allowed(columns, sizes[row], 9), row);
  }
};

class PointwiseLossProblem : public DeviceTest {};

TEST_P(PointwiseLossProblem, MatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("difference");
    const std::string label = "difference, " + name_of(device().kind) + ", " + name_of_storage<T>();
    Comparison losses(label + ", loss"), gradients(label + ", gradient");
    for (PointwiseLossKind kind : kinds)
      for (int columns : {1, 4, 33, 128, 1000, 5000})
        for (int offset : {0, 1, 4}) {
          if (columns > 1000 && offset > 0) continue;
          Problem<T> problem(random, kind, columns > 1000 ? 2 : 5, columns);
          problem.offset = offset;
          problem.has_teacher = offset < 4;
          SCOPED_TRACE(problem.text());
          problem.check(problem.run(device()), losses, gradients);
        }
    for (Kind values : {Kind::huge, Kind::tiny, Kind::constant, Kind::one_hot}) {
      Problem<T> problem(random, PointwiseLossKind::square, 3, 61, values);
      problem.check(problem.run(device()), losses, gradients);
    }
  });
}

TEST_P(PointwiseLossProblem, NanStaysInItsRow) {
  Random random("difference nan");
  for (PointwiseLossKind kind : kinds) {
    Problem<float> problem(random, kind, 3, 100);
    const auto clean = problem.run(device());
    problem.student[137] = unknown;
    auto result = problem.run(device());
    EXPECT_TRUE(std::isnan(result.loss[1]) && std::isnan(result.gradient[137])) << problem.text();
    result.loss[1] = clean.loss[1];
    result.gradient[137] = clean.gradient[137];
    EXPECT_TRUE(result == clean);
  }
}

TEST_P(PointwiseLossProblem, TheSameBitsInAnyOrder) {
  for_storage_types(device(), [&](auto type) {
    Random random("difference bits");
    for (int columns : {33, 3000}) {
      const Problem<decltype(type)> problem(random, PointwiseLossKind::boundary, 7, columns);
      const auto first = problem.run(device());
      for (const kernels::Device& variant : five_variants(device())) EXPECT_TRUE(problem.run(variant) == first);
    }
  });
}

TEST_P(PointwiseLossProblem, MovesWhatCostSays) {
  if (device().kind != kernels::DeviceKind::emulated || !kernels::emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  for_storage_types(device(), [&](auto type) {
    Random random("difference counters");
    for (const auto& [rows, columns] : {std::pair{32, 512}, {4, 4096}}) {
      const Problem<decltype(type)> problem(random, PointwiseLossKind::square, rows, columns);
      problem.run(device(),
                  [&](const auto& arguments) { expect_moves_what_cost_says(arguments, device(), problem.text()); });
    }
  });
}

// The root of what the rows sum to, and the factor for the gradient; nothing where there is nothing.
TEST_P(PointwiseLossProblem, RootOfSum) {
  for (int count : {1, 7, 300}) {
    Random random("root of sum");
    std::vector<float> parts = random.values(static_cast<std::size_t>(count));
    for (float& part : parts) part *= part;
    for (bool zero : {false, true}) {
      if (zero) std::fill(parts.begin(), parts.end(), 0.0f);
      double sum = 0;
      for (float part : parts) sum += static_cast<double>(part);
      const DeviceBuffer<float> loss(device(), parts), factor(device(), {unknown});
      execute_on(kernels::RootOfSum{loss.data(), count, 3, factor.data()}, device());
      const std::vector<float> result = loss.host();
      EXPECT_NEAR(static_cast<double>(result[0]), 3 * std::sqrt(sum), allowed(1, 3 * std::sqrt(sum), 1));
      for (std::size_t i = 1; i < result.size(); ++i) EXPECT_EQ(result[i], 0);
      const double expected = zero ? 0 : 1.5 / std::sqrt(sum);
      EXPECT_NEAR(static_cast<double>(factor.host()[0]), expected, allowed(1, expected, 1));
    }
  }
}

INSTANTIATE_ON_ALL_DEVICES(PointwiseLossProblem);

}  // namespace
}  // namespace preceptor::test
