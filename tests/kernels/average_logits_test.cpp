// Means of teachers' probabilities against their definition on every device; extreme logits; bits; bytes.
#include "kernels/average_logits/average_logits.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/average_logits/reference.h"
#include "tests/support/compare.h"
#include "tests/support/variants.h"

namespace preceptor::test {
namespace {

using namespace kernels;

struct Size {
  int members, rows, classes;
};

// Not negative; the sum over members is 1 for every class, and the same for all classes unless labels are on their own.
std::vector<float> random_weights(Random& random, const Size& size, bool multi_label) {
  std::vector<float> weights(static_cast<std::size_t>(size.members) * size.classes);
  for (int c = 0; c < size.classes; ++c) {
    if (c > 0 && !multi_label) {
      for (int k = 0; k < size.members; ++k)
        weights[static_cast<std::size_t>(k) * size.classes + c] = weights[static_cast<std::size_t>(k) * size.classes];
      continue;
    }
    double sum = 0;
    std::vector<double> drawn;
    for (int k = 0; k < size.members; ++k) {
      // One member may count for nothing, but not the only one.
      drawn.push_back(k > 0 && random.integer(0, 3) == 0 ? 0 : random.uniform(0.1, 1));
      sum += drawn.back();
    }
    for (int k = 0; k < size.members; ++k)
      weights[static_cast<std::size_t>(k) * size.classes + c] = static_cast<float>(drawn[k] / sum);
  }
  return weights;
}

class AveragesOfLogits : public DeviceTest {
 protected:
  template <class T>
  std::vector<T> combine(const Size& size, const std::vector<T>& logits, const std::vector<float>& weights,
                         bool multi_label, const Device& on) const {
    const DeviceBuffer<T> in(on, logits), out(on, std::vector<T>(static_cast<std::size_t>(size.rows) * size.classes));
    const DeviceBuffer<float> by_class(on, weights);
    execute_on(
        AverageLogits<T>{in.data(), by_class.data(), out.data(), size.members, size.rows, size.classes, multi_label},
        on);
    return out.host();
  }
};

TEST_P(AveragesOfLogits, EqualTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("ensemble");
    Comparison comparison(name_of(device().kind) + ", ensemble " + name_of_storage<T>());
    for (const Size& size : {Size{1, 1, 1}, Size{2, 5, 14}, Size{3, 33, 5}, Size{2, 3, 31}, Size{5, 4, 32},
                             Size{4, 2, 33}, Size{2, 2, 129}, Size{32, 7, 3}, Size{3, 129, 2}})
      for (bool multi_label : {false, true}) {
        std::vector<float> logits = random.values(static_cast<std::size_t>(size.members) * size.rows * size.classes);
        for (float& z : logits) z *= 4;
        const std::vector<T> in = stored<T>(logits);
        const std::vector<float> weights = random_weights(random, size, multi_label);
        const std::vector<double> wide = widened(in);
        const auto expected =
            reference::average_logits(wide, to_double(weights), size.members, size.rows, size.classes, multi_label);
        const auto actual = widened(combine<T>(size, in, weights, multi_label, device()));
        double largest = 1 + std::log(size.classes);
        for (double z : wide) largest = std::max(largest, std::abs(z));
        for (float w : weights)
          if (w > 0) largest = std::max(largest, -std::log(static_cast<double>(w)));
        for (std::size_t i = 0; i < expected.size(); ++i)
          comparison.check(actual[i], expected[i],
                           with_storage<T>(allowed(size.classes + size.members, 4 * largest), expected[i]), i);
      }
  });
}

// Where probabilities underflow or round to 1 the logits stay right: of one member those given, of two with logits +-z
// none.
TEST_P(AveragesOfLogits, ExtremeLogitsKeepTheirValue) {
  const std::vector<float> extreme{-300, -40, 0, 40, 300};
  const Size one{1, 1, 5}, two{2, 1, 5};
  EXPECT_EQ(combine<float>(one, extreme, std::vector<float>(5, 1.0f), true, device()), extreme);
  std::vector<float> opposed = extreme;
  for (float z : extreme) opposed.push_back(-z);
  for (float z : combine<float>(two, opposed, std::vector<float>(10, 0.5f), true, device())) EXPECT_NEAR(z, 0, 1e-6);
  const auto softmax = combine<float>(one, extreme, std::vector<float>(5, 1.0f), false, device());
  for (std::size_t i = 0; i < 5; ++i) EXPECT_FLOAT_EQ(softmax[i], extreme[i] - 300);
}

TEST_P(AveragesOfLogits, AMemberWithoutWeightCountsForNothing) {
  const Size size{2, 1, 3};
  for (bool multi_label : {false, true}) {
    const std::vector<float> weights{1, 1, 1, 0, 0, 0};
    const auto with = combine<float>(size, {1, 2, 3, 9, -9, 99}, weights, multi_label, device());
    EXPECT_EQ(with, combine<float>(size, {1, 2, 3, -9, 0, -99}, weights, multi_label, device()));
    for (float z : with) EXPECT_TRUE(std::isfinite(z));
  }
}

TEST_P(AveragesOfLogits, NotANumberIsSeen) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (bool multi_label : {false, true}) {
    const auto mixed = combine<float>({2, 1, 2}, {1, 2, nan, 3}, std::vector<float>(4, 0.5f), multi_label, device());
    EXPECT_TRUE(std::isnan(mixed[0])) << multi_label;
  }
}

TEST_P(AveragesOfLogits, TheSameBitsInAnyOrder) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("ensemble bits");
    const Size size{3, 9, 37};
    const std::vector<T> logits = stored<T>(random.values(3 * 9 * 37));
    for (bool multi_label : {false, true}) {
      const std::vector<float> weights = random_weights(random, size, multi_label);
      std::vector<std::vector<T>> results;
      for (const Device& variant : five_variants(device())) {
        results.push_back(combine<T>(size, logits, weights, multi_label, variant));
        EXPECT_TRUE(same_bits(results.back(), results.front()));
      }
    }
  });
}

// Beyond cost(), which counts what must come from memory: every row reads the weights, and rows of a softmax their
// logits a second time.
TEST_P(AveragesOfLogits, MoveWhatTheyShouldMove) {
  if (device().kind != DeviceKind::emulated || !emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  constexpr int members = 4, rows = 64, classes = 64, values = rows * classes;
  const DeviceBuffer<float> logits(device(), std::vector<float>(members * values)),
      combined(device(), std::vector<float>(values)), weights(device(), std::vector<float>(members * classes, 0.25f));
  for (bool multi_label : {false, true}) {
    emulator::start_counting();
    execute_on(
        AverageLogits<float>{logits.data(), weights.data(), combined.data(), members, rows, classes, multi_label},
        device());
    const emulator::Counters counters = emulator::stop_counting();
    const int reads = multi_label ? 2 : 3;
    EXPECT_EQ(counters.sectors(), (reads * members + 1) * values * 4 / 32);
    EXPECT_EQ(counters.bank_conflicts, 0);
  }
}

INSTANTIATE_ON_ALL_DEVICES(AveragesOfLogits);

}  // namespace
}  // namespace preceptor::test
