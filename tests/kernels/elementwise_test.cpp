// Elementwise operations against their reference on every device: exact results, views, aliased memory, NaNs, bits.
#include "kernels/elementwise/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/elementwise/reference.h"
#include "tests/support/compare.h"
#include "tests/support/gradient_check.h"
#include "tests/support/random_maps.h"

namespace preceptor::test {
namespace {

using namespace kernels;

TEST(ElementwiseReference, GradientMatchesFiniteDifferences) {
  Random random("relu gradient");
  const auto weights = to_double(random.values(20));
  std::vector<double> x;
  for (double value : weights) x.push_back(value + (value > 0 ? 0.1 : -0.1));  // away from the kink
  const auto d_x = reference::relu_backward(reference::relu(x), weights);
  check_gradient(x, d_x, [&](const auto& at) { return dot(weights, reference::relu(at)); });
}

class Elementwise : public DeviceTest {
 protected:
  template <class T>
  DeviceMap<T> map(Random& random, const RandomMap& shape) const {
    return {device(), shape.shape, random_layout(random, shape)};
  }
};

// The sum of two values of 8 or 24 bits is rounded once to storage: first to double, which two summands of 1e30 and
// 1e-30 need, then to T. Two roundings differ from one only on halves, which float allows the first one to hit.
template <class T>
std::vector<double> rounded(const std::vector<double>& values) {
  std::vector<double> result;
  for (double value : values)
    result.push_back(static_cast<double>(static_cast<float>(static_cast<T>(static_cast<float>(value)))));
  return result;
}

// Each operation rounds at most once, as the reference does: the results are equal.
TEST_P(Elementwise, EqualsTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("elementwise");
    for (Kind kind : all_kinds)
      for (int number = 0; number < (on_cpu() ? 12 : watched(device()) ? 8 : 16); ++number) {
        const RandomMap shape = random_map(random, device(), number);
        SCOPED_TRACE(shape.text() + " " + name_of(kind) + " " + name_of_storage<T>());
        DeviceMap<T> a = map<T>(random, shape), b = map<T>(random, shape), out = map<T>(random, shape);
        a.set(random.values(shape.shape.elements(), kind));
        b.set(random.values(shape.shape.elements(), kind));
        const auto left = a.plain(), right = b.plain();
        execute_on(Add<T>{a.map(), b.map(), out.map()}, device());
        EXPECT_EQ(out.plain(), rounded<T>(reference::add(left, right)));
        execute_on(ReluForward<T>{a.map(), out.map()}, device());
        EXPECT_EQ(out.plain(), reference::relu(left));
        execute_on(ReluBackward<T>{a.map(), b.map(), out.map()}, device());
        EXPECT_EQ(out.plain(), reference::relu_backward(left, right));
        // A slope of two bits: its products are exact.
        execute_on(LeakyReluForward<T>{a.map(), out.map(), 0.75f}, device());
        EXPECT_EQ(out.plain(), rounded<T>(reference::leaky_relu(left, 0.75)));
        execute_on(LeakyReluBackward<T>{a.map(), b.map(), out.map(), 0.75f}, device());
        EXPECT_EQ(out.plain(), rounded<T>(reference::leaky_relu_backward(left, right, 0.75)));
        EXPECT_TRUE(a.neighbors_untouched() && b.neighbors_untouched() && out.neighbors_untouched());
        // In place.
        execute_on(ReluBackward<T>{a.map(), b.map(), b.map()}, device());
        EXPECT_EQ(b.plain(), reference::relu_backward(left, right));
        execute_on(Add<T>{a.map(), a.map(), a.map()}, device());
        const auto doubled = rounded<T>(reference::add(left, left));
        EXPECT_EQ(a.plain(), doubled);
        execute_on(ReluForward<T>{a.map(), a.map()}, device());
        EXPECT_EQ(a.plain(), reference::relu(doubled));
        EXPECT_TRUE(a.neighbors_untouched() && b.neighbors_untouched());
      }
  });
}

// Maps without gaps that begin or end anywhere: whole groups and what is left, and more than one block of each.
TEST_P(Elementwise, OneRowOfAnyLength) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("elementwise row");
    for (int count : {1, 3, 4, 7, 8, 31, 33, 127, 2049, 4100, 8191})
      for (int shift : {0, 1}) {
        const auto values = random.values(static_cast<std::size_t>(count + shift) + 1);
        const DeviceBuffer<T> x(device(), stored<T>(values)), y(device(), std::vector<T>(values.size()));
        const FeatureMap<const T> from{x.data() + shift, 1, 1, 1, count, 1, 1};
        execute_on(ReluForward<T>{from, {y.data() + shift, 1, 1, 1, count, 1, 1}}, device());
        auto expected = reference::relu(widened(x.host()));
        expected.back() = 0;
        if (shift) expected.front() = 0;
        EXPECT_EQ(widened(y.host()), expected) << count << " from " << shift;
      }
  });
}

TEST_P(Elementwise, ReluKeepsNotANumber) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const MapShape shape{1, 1, 1, 129};
    std::vector<float> values(129, -1.0f);
    values[0] = values[64] = values[128] = nan;
    const MapLayout layout = channels_last(1);
    DeviceMap<T> x(device(), shape, layout), y(device(), shape, layout), d_y(device(), shape, layout);
    x.set(values);
    execute_on(ReluForward<T>{x.map(), y.map()}, device());
    const auto result = y.plain();
    for (int i = 0; i < 129; ++i) {
      if (i % 64 == 0)
        EXPECT_TRUE(std::isnan(result[i])) << i;
      else
        EXPECT_EQ(result[i], 0.0) << i;
    }
    // A gradient that is not a number does not pass where the output was 0, or not a number itself.
    d_y.set(std::vector<float>(129, nan));
    execute_on(ReluBackward<T>{y.map(), d_y.map(), d_y.map()}, device());
    EXPECT_EQ(d_y.plain(), std::vector<double>(129, 0.0));
  });
}

TEST_P(Elementwise, MarginsAreOfTheirChannels) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("elementwise margins");
    for (int channels : {1, 3, 8, 16, 40}) {
      const MapShape shape{2, channels, 5, 7};
      const MapLayout layout =
          on_cpu() ? channel_blocked(channels, channels % 8 == 0 ? 8 : 1, false) : channels_last(channels);
      DeviceMap<T> x(device(), shape, layout), y(device(), shape, layout);
      auto values = random.values(shape.elements());
      values[1] = std::numeric_limits<float>::quiet_NaN();
      x.set(values);
      const auto margins = stored<T>(random.values(static_cast<std::size_t>(channels)));
      const auto wide = widened(margins);
      const DeviceBuffer<float> margin(device(), std::vector<float>(wide.begin(), wide.end()));
      execute_on(MarginRelu<T>{x.map(), y.map(), margin.data()}, device());
      auto expected = reference::margin_relu(x.plain(), wide, 35), found = y.plain();
      EXPECT_TRUE(std::isnan(found[1]));
      expected[1] = found[1] = 0;
      EXPECT_EQ(found, expected) << channels;
      EXPECT_TRUE(y.neighbors_untouched());
    }
  });
}

TEST_P(Elementwise, ScalesByAFactorInDeviceMemory) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("elementwise scale");
    const DeviceBuffer<float> factor(device(), {-0.75f});
    for (int count : {1, 7, 8, 31, 513, 4100})
      for (int begin : {0, 1}) {
        const DeviceBuffer<T> x(device(), stored<T>(random.values(static_cast<std::size_t>(count + begin) + 1)));
        auto expected = widened(x.host());
        for (int i = begin; i < begin + count; ++i) expected[static_cast<std::size_t>(i)] *= -0.75;
        execute_on(ScaleBy<T>{x.data() + begin, factor.data(), count}, device());
        EXPECT_EQ(widened(x.host()), rounded<T>(expected)) << count << " from " << begin;
      }
  });
}

TEST_P(Elementwise, LabelsMakeLogits) {
  const std::vector<float> student = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const DeviceBuffer<float> own(device(), student), to(device(), std::vector<float>(9, nan));
  const DeviceBuffer<float> classes(device(), {2, nan, 0}), targets(device(), {1, 0, nan, 0, 1, 1, nan, nan, 0});
  execute_on(LabelLogits{classes.data(), own.data(), to.data(), 3, 3, false, 10, -1}, device());
  EXPECT_EQ(to.host(), (std::vector<float>{-1, -1, 10, 4, 5, 6, 10, -1, -1}));
  execute_on(LabelLogits{targets.data(), own.data(), to.data(), 3, 3, true, 10, -1}, device());
  EXPECT_EQ(to.host(), (std::vector<float>{10, -1, 3, -1, 10, 10, 7, 8, -1}));
}

TEST_P(Elementwise, FillWritesExactlyTheRange) {
  for (int count : {0, 1, 31, 32, 33, 127, 128, 129, 4100, on_cpu() ? 100003 : 9001})
    for (int begin : {1, 4}) {
      std::vector<float> expected(static_cast<std::size_t>(begin + count) + 1, -1.0f);
      const DeviceBuffer<float> memory(device(), expected);
      execute_on(Fill{memory.data() + begin, 2.5f, count}, device());
      std::fill_n(expected.begin() + begin, count, 2.5f);
      EXPECT_EQ(memory.host(), expected) << count << " from " << begin;
    }
}

TEST_P(Elementwise, AccumulateSumAddsInDouble) {
  Random random("accumulate");
  for (int count : {1, 31, 32, 33, 127, 128, 129, 511, 513, 2049}) {
    const auto values = random.values(count);
    double expected = 1e6, terms = 1e6;
    for (float value : values) {
      expected += static_cast<double>(value);
      terms += std::abs(static_cast<double>(value));
    }
    const DeviceBuffer<float> from(device(), values);
    std::vector<std::vector<double>> results;
    for (const Device& variant : five_variants(device())) {
      const DeviceBuffer<double> total(device(), {1e6});
      execute_on(AccumulateSum{from.data(), count, total.data()}, variant);
      results.push_back(total.host());
      EXPECT_TRUE(same_bits(results.back(), results.front())) << count;
    }
    EXPECT_NEAR(results[0][0], expected, 0x1p-53 * (4 + std::sqrt(count)) * terms) << count;
  }
}

TEST_P(Elementwise, TheSameBitsInAnyOrder) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("elementwise bits");
    const RandomMap shape{{3, 24, 13, 7}, on_cpu() ? 8 : 0};
    DeviceMap<T> a = map<T>(random, shape), b = map<T>(random, shape);
    const DeviceMap<T> out = map<T>(random, shape);
    a.set(random.values(shape.shape.elements()));
    b.set(random.values(shape.shape.elements()));
    std::vector<std::vector<T>> first;
    for (const Device& variant : five_variants(device())) {
      std::vector<std::vector<T>> now;
      execute_on(Add<T>{a.map(), b.map(), out.map()}, variant);
      now.push_back(out.memory());
      execute_on(ReluForward<T>{a.map(), out.map()}, variant);
      now.push_back(out.memory());
      execute_on(ReluBackward<T>{a.map(), b.map(), out.map()}, variant);
      now.push_back(out.memory());
      if (first.empty()) first = now;
      for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(same_bits(now[i], first[i])) << i;
    }
  });
}

TEST_P(Elementwise, MovesWhatCostSays) {
  if (device().kind != DeviceKind::emulated || !emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    for (const MapLayout& layout : {channels_last(48), channels_last(48, 16, 32), channels_last(33)}) {
      const int channels = layout.channel_stride == 33 ? 33 : 48;
      const MapShape shape{2, channels, 16, 16};
      DeviceMap<T> a(device(), shape, layout), b(device(), shape, layout);
      const std::vector<float> zeros(shape.elements());
      a.set(zeros);
      b.set(zeros);
      const std::string text =
          shape.text() + " pitch " + std::to_string(layout.channel_stride) + " " + name_of_storage<T>();
      expect_moves_what_cost_says(Add<T>{a.map(), b.map(), b.map()}, device(), text + ", add");
      expect_moves_what_cost_says(ReluForward<T>{a.map(), b.map()}, device(), text + ", relu");
      expect_moves_what_cost_says(ReluBackward<T>{a.map(), b.map(), b.map()}, device(), text + ", relu backward");
      expect_moves_what_cost_says(LeakyReluForward<T>{a.map(), b.map(), 0.1f}, device(), text + ", leaky");
      expect_moves_what_cost_says(LeakyReluBackward<T>{a.map(), b.map(), b.map(), 0.1f}, device(),
                                  text + ", leaky backward");
    }
  });
  const DeviceBuffer<float> memory(device(), std::vector<float>(5000));
  expect_moves_what_cost_says(Fill{memory.data(), 1, 5000}, device(), "fill");
  const DeviceBuffer<float> factor(device(), {0.5f});
  expect_moves_what_cost_says(ScaleBy<float>{memory.data(), factor.data(), 4992}, device(), "scale");
  const DeviceBuffer<double> total(device(), {0});
  expect_moves_what_cost_says(AccumulateSum{memory.data(), 5000, total.data()}, device(), "accumulate");
}

INSTANTIATE_ON_ALL_DEVICES(Elementwise);

}  // namespace
}  // namespace preceptor::test
