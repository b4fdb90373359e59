// Elementwise operations against their reference: exact results, views, aliased memory, NaNs.
#include "kernels/elementwise/elementwise.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/elementwise/reference.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/feature_maps.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

using namespace kernels;

TEST(Elementwise, ReferenceGradientMatchesFiniteDifferences) {
  Random random("relu gradient");
  const auto weights = to_double(random.values(20));
  std::vector<double> x;
  for (double value : weights) x.push_back(value + (value > 0 ? 0.1 : -0.1));  // away from the kink
  const auto d_x = reference::relu_backward(reference::relu(x), weights);
  check_gradient(x, d_x, [&](const auto& at) { return dot(weights, reference::relu(at)); });
}

// Each operation rounds at most once, as the reference does in float: the results are equal.
TEST(Elementwise, EqualsTheReference) {
  Random random("elementwise");
  for (int block : all_blocks)
    for (Kind kind : all_kinds)
      for (int repeat = 0; repeat < 4; ++repeat) {
        const MapShape shape = random_shape(random, block);
        SCOPED_TRACE(shape.text() + " block " + std::to_string(block) + " " + name_of(kind));
        MapBuffer a(shape, block, random.coin()), b(shape, block, random.coin()), out(shape, block, random.coin());
        const auto left = random.values(shape.elements(), kind), right = random.values(shape.elements(), kind);
        a.set(left);
        b.set(right);
        execute(Add{a.map(), b.map(), out.map()});
        EXPECT_EQ(out.plain(), reference::add(left, right));
        execute(ReluForward{a.map(), out.map()});
        EXPECT_EQ(out.plain(), reference::relu(left));
        execute(ReluBackward{a.map(), b.map(), out.map()});
        EXPECT_EQ(out.plain(), reference::relu_backward(left, right));
        EXPECT_TRUE(a.neighbours_untouched() && b.neighbours_untouched() && out.neighbours_untouched());
        // In place.
        execute(ReluBackward{a.map(), b.map(), b.map()});
        EXPECT_EQ(b.plain(), reference::relu_backward(left, right));
        execute(Add{a.map(), a.map(), a.map()});
        EXPECT_EQ(a.plain(), reference::add(left, left));
        execute(ReluForward{a.map(), a.map()});
        EXPECT_EQ(a.plain(), reference::relu(reference::add(left, left)));
        EXPECT_TRUE(a.neighbours_untouched() && b.neighbours_untouched());
      }
}

TEST(Elementwise, ReluKeepsNotANumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const MapShape shape{1, 1, 1, 129};
  std::vector<float> values(129, -1.0f);
  values[0] = values[64] = values[128] = nan;
  MapBuffer x(shape, 1), y(shape, 1);
  x.set(values);
  execute(ReluForward{x.map(), y.map()});
  const auto result = y.plain();
  for (int i = 0; i < 129; ++i) {
    if (i % 64 == 0)
      EXPECT_TRUE(std::isnan(result[i])) << i;
    else
      EXPECT_EQ(result[i], 0.0f) << i;
  }
  // A gradient that is not a number does not pass where the output was 0.
  MapBuffer d_y(shape, 1);
  d_y.set(std::vector<float>(129, nan));
  execute(ReluBackward{y.map(), d_y.map(), d_y.map()});
  EXPECT_EQ(d_y.plain()[1], 0.0f);
}

TEST(Elementwise, FillWritesExactlyTheRange) {
  for (int count : {0, 1, 31, 32, 33, 127, 128, 129, 100003}) {
    std::vector<float> memory(static_cast<std::size_t>(count) + 2, -1.0f);
    execute(Fill{memory.data() + 1, 2.5f, count});
    std::vector<float> expected(memory.size(), 2.5f);
    expected.front() = expected.back() = -1.0f;
    EXPECT_EQ(memory, expected) << count;
  }
}

TEST(Elementwise, AccumulateSumAddsInDouble) {
  Random random("accumulate");
  for (int count : {1, 31, 32, 33, 127, 128, 129}) {
    const auto values = random.values(count);
    double total = 1e6, expected = 1e6, terms = 1e6;
    for (float value : values) {
      expected += static_cast<double>(value);
      terms += std::abs(static_cast<double>(value));
    }
    execute(AccumulateSum{values.data(), count, &total});
    EXPECT_NEAR(total, expected, 0x1p-53 * (4 + std::sqrt(count)) * terms) << count;
  }
}

}  // namespace
}  // namespace preceptor::test
