// Normalization against its reference on every device: rows, columns, groups inside; dead groups, any order of threads.
#include "kernels/l2_normalize/l2_normalize.h"

#include <gtest/gtest.h>

#include "kernels/l2_normalize/reference.h"
#include "tests/kernels/losses.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

using kernels::reference::Groups;

TEST(L2NormalizeReference, GradientMatchesFiniteDifferences) {
  Random random("normalize gradient");
  for (const Groups& g : {Groups{2, 4, 1}, Groups{1, 3, 4}, Groups{2, 3, 2}})
    for (bool center : {false, true}) {
      const auto x = to_double(random.values(g.size())), d_y = to_double(random.values(g.size()));
      const auto gradient = kernels::reference::normalize_backward(g, x, d_y, center, 1.5, 1e-12);
      check_gradient(x, gradient, [&](const auto& at) {
        return dot(d_y, kernels::reference::l2_normalize(g, at, center, 1.5, 1e-12));
      });
    }
}

template <class T>
struct Problem {
  Groups g;
  bool center;
  float scale = 1.5f, epsilon = 1e-12f;
  std::vector<T> x, d_y;

  Problem(Random& random, const Groups& groups, bool centered, double size = 1, double offset = 0)
      : g(groups), center(centered), d_y(stored<T>(random.values(g.size()))) {
    std::vector<float> values = random.values(g.size(), Kind::normal, size);
    for (float& value : values) value += static_cast<float>(offset);
    x = stored<T>(values);
  }
  std::string text() const {
    return std::to_string(g.outer) + "x" + std::to_string(g.length) + "x" + std::to_string(g.inner) +
           (center ? " centred, " : ", ") + name_of_storage<T>();
  }
  std::size_t groups() const { return static_cast<std::size_t>(g.outer) * g.inner; }

  struct Result {
    std::vector<T> y, d_x;
    std::vector<float> inverse;
  };
  // use(launch): called for both launches.
  template <class Use>
  Result run(const kernels::Device& device, const Use& use) const {
    const std::vector<T> nothing(g.size(), static_cast<T>(unknown));
    const DeviceBuffer<T> from(device, x), to(device, nothing), derivative(device, d_y), d_from(device, nothing);
    const DeviceBuffer<float> inverse(device, std::vector<float>(groups(), unknown));
    use(kernels::L2Normalize<T>{from.data(), to.data(), inverse.data(), g.outer, g.length, g.inner, center, scale,
                                epsilon});
    use(kernels::L2NormalizeBackward<T>{to.data(), derivative.data(), inverse.data(), d_from.data(), g.outer, g.length,
                                        g.inner, center, scale});
    return {to.host(), d_from.host(), inverse.host()};
  }
  Result run(const kernels::Device& device) const {
    return run(device, [&](const auto& arguments) { execute_on(arguments, device); });
  }

  // Everything is summed in double; y is rounded once, as is what backward multiplies: the derivative is a difference
  // of terms of the size of |d_y|, each with the rounding of y or of the stored inverse.
  void check(const Result& result, Comparison& values, Comparison& gradients) const {
    const auto wide = widened(x), derivative = widened(d_y), y = widened(result.y), d_x = widened(result.d_x);
    const double s = static_cast<double>(scale), e = static_cast<double>(epsilon);
    const auto expected = kernels::reference::l2_normalize(g, wide, center, s, e);
    const auto gradient = kernels::reference::normalize_backward(g, wide, derivative, center, s, e);
    std::size_t group = 0;
    kernels::reference::for_each_group_of(g, [&](const auto& at) {
      const double inverse = static_cast<double>(result.inverse[group++]);
      double mean = 0, projection = 0;
      for (int i = 0; i < g.length; ++i) {
        mean += center ? std::abs(derivative[at(i)]) / g.length : 0;
        projection += std::abs(derivative[at(i)] * expected[at(i)]) / (s * s);
      }
      for (int i = 0; i < g.length; ++i) {
        const std::size_t n = at(i);
        values.check(y[n], expected[n], with_storage<T>(allowed(1, std::abs(expected[n])), expected[n]), n);
        const double size = s * inverse * (std::abs(derivative[n]) + mean + 2 * projection * std::abs(expected[n]));
        gradients.check(d_x[n], gradient[n],
                        with_storage<T>(allowed(1, size), gradient[n]) + (sizeof(T) < 4 ? 0x1p-8 * size : 0), n);
      }
    });
  }
};

class L2Normalize : public DeviceTest {};

TEST_P(L2Normalize, MatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("normalize");
    Comparison values("normalize, " + name_of(device().kind) + ", " + name_of_storage<T>() + ", y");
    Comparison gradients("normalize, " + name_of(device().kind) + ", " + name_of_storage<T>() + ", d_x");
    for (const Groups& g : {Groups{5, 129, 1}, Groups{3, 1000, 1}, Groups{1, 33, 14}, Groups{1, 7, 65},
                            Groups{2, 49, 8}, Groups{3, 16, 33}, Groups{4, 1, 3}, Groups{1, 300, 1}})
      for (bool center : {false, true})
        for (double size : {1e-6, 1.0, 1e6}) {
          Problem<T> problem(random, g, center, size);
          if (center && g.length == 1) continue;  // exactly nothing is left
          SCOPED_TRACE(problem.text());
          problem.check(problem.run(device()), values, gradients);
        }
  });
}

// A mean of 100 deviations, as an X-ray with a bright border has: float storage keeps 5 digits of what is left of it.
TEST_P(L2Normalize, KeepsTheDigitsBesideALargeMean) {
  Random random("normalize mean");
  Comparison values("normalize, " + name_of(device().kind) + ", mean, y"), gradients("mean, d_x");
  for (const Groups& g : {Groups{3, 100, 1}, Groups{1, 50, 20}}) {
    Problem<float> problem(random, g, true, 1, 100);
    problem.check(problem.run(device()), values, gradients);
  }
}

TEST_P(L2Normalize, DeadGroupsGiveZerosAndPassNoGradient) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("normalize dead");
    for (const Groups& g : {Groups{3, 40, 1}, Groups{1, 40, 3}})
      for (bool center : {false, true}) {
        Problem<T> problem(random, g, center);
        for (int i = 0; i < g.length; ++i)
          problem.x[g.at(g.outer > 1, i, g.inner > 1)] = static_cast<T>(center ? 0.1f : 0.0f);
        const auto result = problem.run(device());
        for (std::size_t i = 0; i < result.y.size(); ++i) EXPECT_TRUE(std::isfinite(static_cast<float>(result.d_x[i])));
        for (int i = 0; i < g.length; ++i) {
          const std::size_t at = g.at(g.outer > 1, i, g.inner > 1);
          EXPECT_EQ(static_cast<float>(result.y[at]), 0);
          EXPECT_EQ(static_cast<float>(result.d_x[at]), 0);
        }
      }
  });
}

TEST_P(L2Normalize, TheSameBitsInAnyOrder) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("normalize bits");
    for (const Groups& g : {Groups{5, 777, 1}, Groups{2, 77, 40}}) {
      const Problem<T> problem(random, g, true);
      const auto first = problem.run(device());
      for (const kernels::Device& variant : five_variants(device())) {
        const auto result = problem.run(variant);
        EXPECT_TRUE(same_bits(result.y, first.y) && same_bits(result.d_x, first.d_x));
        EXPECT_TRUE(same_bits(result.inverse, first.inverse));
      }
    }
  });
}

TEST_P(L2Normalize, MovesWhatCostSays) {
  if (device().kind != kernels::DeviceKind::emulated || !kernels::emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  for_storage_types(device(), [&](auto type) {
    Random random("normalize counters");
    for (const Groups& g : {Groups{16, 1024, 1}, Groups{2, 196, 64}})
      for (bool center : {false, true}) {
        const Problem<decltype(type)> problem(random, g, center);
        problem.run(device(),
                    [&](const auto& arguments) { expect_moves_what_cost_says(arguments, device(), problem.text()); });
      }
  });
}

INSTANTIATE_ON_ALL_DEVICES(L2Normalize);

}  // namespace
}  // namespace preceptor::test
