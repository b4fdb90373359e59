// Gaussian likelihood against its reference on every device: any channels, large and small variances.
#include "kernels/gaussian_likelihood/gaussian_likelihood.h"

#include <gtest/gtest.h>

#include <optional>

#include "kernels/gaussian_likelihood/reference.h"
#include "tests/kernels/losses.h"
#include "tests/support/feature_maps.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

TEST(GaussianLikelihoodReference, GradientsMatchFiniteDifferences) {
  Random random("likelihood gradient");
  const auto x = to_double(random.values(12)), t = to_double(random.values(12)), raw = to_double(random.values(3));
  const auto at = [&](const auto& prediction, const auto& of) {
    return kernels::reference::gaussian_likelihood(3, 2, prediction, t, of, 2.0, 1e-5);
  };
  check_gradient(x, at(x, raw).d_prediction, [&](const auto& moved) { return total(at(moved, raw).loss); });
  check_gradient(raw, at(x, raw).d_raw, [&](const auto& moved) { return total(at(x, moved).loss); });
}

template <class T>
struct Problem {
  MapShape shape;
  DeviceMap<T> x, t, d_x;
  std::vector<float> raw;

  Problem(Random& random, const kernels::Device& device, const MapShape& s, const MapLayout& layout, double size)
      : shape(s),
        x(device, s, layout),
        t(device, s, layout),
        d_x(device, s, layout),
        raw(random.values(static_cast<std::size_t>(s.channels), Kind::normal, size)) {
    x.set(random.values(s.elements()));
    t.set(random.values(s.elements()));
  }
  struct Result {
    std::vector<float> loss, d_raw;
  };
  template <class Use>
  Result run(const kernels::Device& device, const Use& use) const {
    const std::vector<float> nothing(raw.size(), unknown);
    const DeviceBuffer<float> of(device, raw), loss(device, nothing), d_raw(device, nothing);
    use(kernels::GaussianLikelihood<T>{x.map(), t.map(), of.data(), loss.data(), d_x.map(), d_raw.data(), 2, 1e-5f});
    return {loss.host(), d_raw.host()};
  }
  Result run(const kernels::Device& device) const {
    return run(device, [&](const auto& arguments) { execute_on(arguments, device); });
  }
};

class GaussianLikelihood : public DeviceTest {
 protected:
  MapLayout layout(int channels) const {
    return on_cpu() ? channel_blocked(channels, channels % 8 == 0 ? 8 : 1, false) : channels_last(channels);
  }
};

// In double, rounded once; both sums are differences of x^2 / v and log v or 1.
TEST_P(GaussianLikelihood, MatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("likelihood");
    const std::string label = "likelihood, " + name_of(device().kind) + ", " + name_of_storage<T>();
    Comparison losses(label + ", loss"), gradients(label + ", d_prediction"), of_raw(label + ", d_raw");
    for (const auto& [images, channels, height, width] :
         {std::tuple{2, 16, 5, 7}, {1, 1, 1, 1}, {3, 33, 3, 3}, {2, 70, 6, 5}})
      for (double size : {1.0, 10.0}) {
        Problem<T> problem(random, device(), {images, channels, height, width}, layout(channels), size);
        const auto result = problem.run(device());
        const auto x = problem.x.plain(), t = problem.t.plain(), raw = to_double(problem.raw);
        const double least = static_cast<double>(1e-5f);
        const auto expected = kernels::reference::gaussian_likelihood(channels, height * width, x, t, raw, 2.0, least);
        const auto d_x = problem.d_x.plain();
        for (std::size_t i = 0; i < d_x.size(); ++i)
          gradients.check(d_x[i], expected.d_prediction[i],
                          with_storage<T>(allowed(1, std::abs(expected.d_prediction[i]), 1), expected.d_prediction[i]),
                          i);
        for (std::size_t c = 0; c < raw.size(); ++c) {
          const double terms = 0x1p-45 * (1 + std::abs(raw[c]) + 1 / (std::log1p(std::exp(raw[c])) + least));
          losses.check(static_cast<double>(result.loss[c]), expected.loss[c],
                       allowed(1, std::abs(expected.loss[c]), 1) + terms, c);
          of_raw.check(static_cast<double>(result.d_raw[c]), expected.d_raw[c],
                       allowed(1, std::abs(expected.d_raw[c]), 1) + terms, c);
        }
        EXPECT_TRUE(problem.d_x.neighbors_untouched());
      }
  });
}

TEST_P(GaussianLikelihood, TheSameBitsInAnyOrder) {
  for_storage_types(device(), [&](auto type) {
    Random random("likelihood bits");
    const Problem<decltype(type)> problem(random, device(), {3, 40, 5, 5}, layout(40), 1);
    std::optional<std::vector<float>> first;
    for (const kernels::Device& variant : five_variants(device())) {
      auto result = problem.run(variant);
      result.loss.insert(result.loss.end(), result.d_raw.begin(), result.d_raw.end());
      if (!first) first = result.loss;
      EXPECT_TRUE(same_bits(result.loss, *first));
    }
  });
}

TEST_P(GaussianLikelihood, MovesWhatCostSays) {
  if (device().kind != kernels::DeviceKind::emulated || !kernels::emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  for_storage_types(device(), [&](auto type) {
    Random random("likelihood counters");
    const Problem<decltype(type)> problem(random, device(), {4, 64, 12, 12}, layout(64), 1);
    problem.run(device(),
                [&](const auto& arguments) { expect_moves_what_cost_says(arguments, device(), problem.shape.text()); });
  });
}

INSTANTIATE_ON_ALL_DEVICES(GaussianLikelihood);

}  // namespace
}  // namespace preceptor::test
