// Dropout against its reference on every device: the same values fall everywhere, as often as asked, in any order.
#include "kernels/dropout/dropout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "kernels/dropout/reference.h"
#include "tests/support/compare.h"
#include "tests/support/random_maps.h"

namespace preceptor::test {
namespace {

using namespace kernels;

class Dropouts : public DeviceTest {
 protected:
  DeviceBuffer<StepState> state(std::int64_t step, std::uint64_t seed) const {
    return {device(), std::vector<StepState>{{0.0f, step, seed}}};
  }
  // The places, in plain order, of the values that fall out of a map of ones.
  std::set<int> fallen(const MapShape& shape, std::int64_t step, std::uint64_t seed, int layer,
                       float probability) const {
    const MapLayout layout = on_cpu() ? MapLayout{1, 0, shape.channels} : channels_last(shape.channels);
    DeviceMap<float> x(device(), shape, layout), y(device(), shape, layout);
    x.set(std::vector<float>(shape.elements(), 1.0f));
    const auto at = state(step, seed);
    execute_on(Dropout<float>{x.map(), y.map(), at.data(), layer, probability}, device());
    std::set<int> places;
    const auto values = y.plain();
    for (std::size_t i = 0; i < values.size(); ++i)
      if (values[i] == 0) places.insert(static_cast<int>(i));
    return places;
  }
};

// A product is rounded once to float and once to storage, as here.
template <class T>
std::vector<double> rounded(const std::vector<double>& values) {
  std::vector<double> result;
  for (double value : values)
    result.push_back(static_cast<double>(static_cast<float>(static_cast<T>(static_cast<float>(value)))));
  return result;
}

TEST_P(Dropouts, EqualTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("dropout");
    for (Kind kind : {Kind::normal, Kind::huge, Kind::tiny})
      for (int number = 0; number < (watched(device()) ? 8 : 16); ++number) {
        const RandomMap map = random_map(random, device(), number);
        const float probability = number == 0 ? 0.0f : static_cast<float>(random.integer(1, 99)) / 100;
        const int layer = random.integer(0, 60), step = random.integer(0, 1000);
        SCOPED_TRACE(map.text() + " " + name_of(kind) + " " + name_of_storage<T>());
        DeviceMap<T> x(device(), map.shape, random_layout(random, map)),
            y(device(), map.shape, random_layout(random, map));
        x.set(random.values(map.shape.elements(), kind));
        const auto at = state(step, 7);
        const auto expected = rounded<T>(reference::dropout(x.plain(), map.shape.images, map.shape.channels,
                                                            map.shape.plane(), 7, step, layer, probability));
        execute_on(Dropout<T>{x.map(), y.map(), at.data(), layer, probability}, device());
        EXPECT_EQ(y.plain(), expected);
        execute_on(Dropout<T>{x.map(), x.map(), at.data(), layer, probability}, device());
        EXPECT_EQ(x.plain(), expected) << "in place";
        EXPECT_TRUE(x.neighbors_untouched() && y.neighbors_untouched());
      }
  });
}

// The number of dropped values out of n is binomial; six standard deviations are exceeded once in 5e8 seeds.
TEST_P(Dropouts, AsManyFallAsAsked) {
  const MapShape shape{2, 16, 16, 16};
  const double n = static_cast<double>(shape.elements());
  for (const float probability : {0.1f, 0.5f, 0.9f}) {
    const double count = static_cast<double>(fallen(shape, 3, 1, 0, probability).size()), p = double{probability};
    EXPECT_NEAR(count, n * p, 6 * std::sqrt(n * p * (1 - p)));
  }
}

// Masks of different seeds, steps and layers share as many places as independent ones do, and images share no mask.
TEST_P(Dropouts, MasksAreIndependent) {
  const MapShape shape{2, 16, 8, 8};
  const double n = static_cast<double>(shape.elements());
  const std::set<int> mask = fallen(shape, 3, 1, 0, 0.5f);
  EXPECT_EQ(mask, fallen(shape, 3, 1, 0, 0.5f));
  const auto shared = [](const std::set<int>& a, const std::set<int>& b) {
    return static_cast<double>(std::count_if(a.begin(), a.end(), [&](int place) { return b.contains(place); }));
  };
  for (const auto& other : {fallen(shape, 4, 1, 0, 0.5f), fallen(shape, 3, 2, 0, 0.5f), fallen(shape, 3, 1, 1, 0.5f)})
    EXPECT_NEAR(shared(mask, other), n / 4, 6 * std::sqrt(n * 3 / 16));
  std::set<int> first, second;
  const int half = static_cast<int>(shape.elements() / 2);
  for (int place : mask) (place < half ? first : second).insert(place % half);
  EXPECT_NEAR(shared(first, second), n / 8, 6 * std::sqrt(n * 3 / 32));
}

TEST_P(Dropouts, AFallenValueIsZeroWhateverItWas) {
  const MapShape shape{1, 8, 4, 4};
  DeviceMap<float> x(device(), shape, channels_last(8)), y(device(), shape, channels_last(8));
  x.set(std::vector<float>(shape.elements(), std::numeric_limits<float>::quiet_NaN()));
  const auto at = state(0, 1);
  execute_on(Dropout<float>{x.map(), y.map(), at.data(), 0, 0.5f}, device());
  int zeros = 0;
  for (double value : y.plain()) {
    EXPECT_TRUE(value == 0 || std::isnan(value));
    zeros += value == 0;
  }
  EXPECT_GT(zeros, 0);
}

TEST_P(Dropouts, TheSameBitsInAnyOrder) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("dropout bits");
    const MapShape shape{2, 24, 5, 7};
    DeviceMap<T> x(device(), shape, channels_last(24, 8, 0));
    x.set(random.values(shape.elements()));
    const auto at = state(5, 3);
    std::vector<std::vector<T>> results;
    for (const Device& variant : five_variants(device())) {
      const DeviceMap<T> y(device(), shape, channels_last(24));
      execute_on(Dropout<T>{x.map(), y.map(), at.data(), 2, 0.3f}, variant);
      results.push_back(y.memory());
      EXPECT_TRUE(same_bits(results.back(), results.front()));
    }
  });
}

TEST_P(Dropouts, MoveWhatCostSays) {
  if (device().kind != DeviceKind::emulated || !emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    for (const MapLayout& into : {channels_last(32), channels_last(32, 64, 32)}) {
      const MapShape shape{2, 32, 16, 16};
      DeviceMap<T> x(device(), shape, channels_last(32));
      x.set(std::vector<float>(shape.elements()));
      const DeviceMap<T> y(device(), shape, into);
      const auto at = state(0, 1);
      expect_moves_what_cost_says(Dropout<T>{x.map(), y.map(), at.data(), 0, 0.2f}, device(), shape.text());
    }
  });
}

INSTANTIATE_ON_ALL_DEVICES(Dropouts);

}  // namespace
}  // namespace preceptor::test
