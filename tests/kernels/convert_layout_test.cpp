// Copies between all layouts and storage types on every device: exact results, views, rounding, NaNs, bits.
#include "kernels/convert_layout/convert_layout.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/convert_layout/reference.h"
#include "tests/support/compare.h"
#include "tests/support/random_maps.h"

namespace preceptor::test {
namespace {

using namespace kernels;

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

// The reference of bfloat16 rounding against a search among all numbers.
TEST(ConvertLayoutReference, RoundsToTheNearest) {
  std::vector<double> numbers;  // that are not negative, in order
  for (unsigned bits = 0; bits < 0x7f80; ++bits)
    numbers.push_back(static_cast<double>(std::bit_cast<float>(bits << 16)));
  Random random("nearest bfloat16");
  for (int i = 0; i < 1000; ++i) {
    const int at = random.integer(0, static_cast<int>(numbers.size()) - 2);
    const double low = numbers[at], high = numbers[at + 1];
    const double half = (low + high) / 2;
    EXPECT_EQ(reference::nearest_bfloat16(low), low);
    EXPECT_EQ(reference::nearest_bfloat16(std::nextafter(half, 0)), low);
    EXPECT_EQ(reference::nearest_bfloat16(half), at % 2 == 0 ? low : high);
    EXPECT_EQ(reference::nearest_bfloat16(-std::nextafter(half, high)), -high);
  }
}

class ConvertLayouts : public DeviceTest {
 protected:
  // Calls body with a value of every pair of storage types that the device copies between.
  template <class Body>
  void for_pairs(const Body& body) const {
    for_storage_types(device(), [&](auto from) { for_storage_types(device(), [&](auto to) { body(from, to); }); });
  }

  // Plain, channels-last or channel-blocked, of the map alone or of a wider one.
  MapLayout random_layout_of(Random& random, int channels) const {
    constexpr int neighbors[] = {0, 0, 0, 1, 3, 4, 8, 32};
    const int before = neighbors[random.integer(0, 7)], after = neighbors[random.integer(0, 7)];
    if (random.coin()) return {1, before, before + channels + after};
    for (int block : {16, 8})
      if (on_cpu() && channels % block == 0 && random.coin()) return channel_blocked(channels, block, random.coin());
    return channels_last(channels, before, after);
  }

  template <class From, class To>
  void check(const DeviceMap<From>& from, const DeviceMap<To>& to) const {
    execute_on(ConvertLayout<From, To>{from.map(), to.map()}, device());
    const auto actual = to.plain();
    const auto expected = reference::copy(from.plain(), sizeof(To) < sizeof(From));
    int wrong = 0;
    for (std::size_t i = 0; i < actual.size(); ++i) {
      const bool same = std::isnan(expected[i])
                            ? std::isnan(actual[i])
                            : actual[i] == expected[i] && std::signbit(actual[i]) == std::signbit(expected[i]);
      if (!same && ++wrong < 5) ADD_FAILURE() << "[" << i << "]: " << actual[i] << " instead of " << expected[i];
    }
    EXPECT_TRUE(from.neighbors_untouched() && to.neighbors_untouched());
  }
};

TEST_P(ConvertLayouts, EqualTheReferenceInAllLayouts) {
  for_pairs([&](auto from_type, auto to_type) {
    using From = decltype(from_type);
    using To = decltype(to_type);
    Random random("copy map");
    for (Kind kind : {Kind::normal, Kind::huge, Kind::tiny})
      for (int number = 0; number < (watched(device()) ? 16 : 48); ++number) {
        const MapShape shape = random_map(random, device(), number).shape;
        const MapLayout from_layout = random_layout_of(random, shape.channels),
                        to_layout = random_layout_of(random, shape.channels);
        SCOPED_TRACE(shape.text() + " " + name_of_storage<From>() + " " + name_of_storage<To>() + " block " +
                     std::to_string(from_layout.block) + " to " + std::to_string(to_layout.block));
        DeviceMap<From> from(device(), shape, from_layout);
        from.set(random.values(shape.elements(), kind));
        check(from, DeviceMap<To>(device(), shape, to_layout));
      }
  });
}

// Every way through the kernels at sizes around those of a tile, in both directions: groups of 16 bytes on one side, on
// both, on none.
TEST_P(ConvertLayouts, TilesOfAllSizes) {
  for_pairs([&](auto from_type, auto to_type) {
    using From = decltype(from_type);
    using To = decltype(to_type);
    Random random("copy tiles");
    for (int channels : {1, 2, 3, 7, 31, 32, 33, 64, 80})
      for (int width : {1, 31, 32, 40, 129}) {
        if (watched(device()) && channels * width > 1200) continue;
        const MapShape shape{2, channels, 1, width};
        SCOPED_TRACE(shape.text() + " " + name_of_storage<From>() + " " + name_of_storage<To>());
        const MapLayout plain{1, 0, channels}, last = channels_last(channels);
        DeviceMap<From> plain_from(device(), shape, plain), last_from(device(), shape, last);
        plain_from.set(random.values(shape.elements()));
        last_from.set(random.values(shape.elements()));
        check(plain_from, DeviceMap<To>(device(), shape, last));
        check(last_from, DeviceMap<To>(device(), shape, plain));
      }
  });
}

// Two maps beside each other in a third, and out of it again.
TEST_P(ConvertLayouts, ConcatenateAndSlice) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("concatenate");
    for (const auto& [left, right] : {std::pair{64, 32}, {48, 16}, {3, 5}}) {
      const int block = on_cpu() ? (left == 3 ? 1 : 16) : 0;
      const MapShape a_shape{2, left, 5, 7}, b_shape{2, right, 5, 7}, both_shape{2, left + right, 5, 7};
      const auto layout = [&](int channels) {
        return on_cpu() ? channel_blocked(channels, block, false) : channels_last(channels);
      };
      DeviceMap<T> a(device(), a_shape, layout(left)), b(device(), b_shape, layout(right));
      const DeviceMap<T> both(device(), both_shape, layout(left + right)), back(device(), b_shape, layout(right));
      a.set(random.values(a_shape.elements()));
      b.set(random.values(b_shape.elements()));
      const auto range = [&](int begin, int channels) {
        FeatureMap<T> part = both.map();
        part.data += part.offset(0, begin, 0, 0);
        part.channels = channels;
        return part;
      };
      execute_on(ConvertLayout<T, T>{a.map(), range(0, left)}, device());
      execute_on(ConvertLayout<T, T>{b.map(), range(left, right)}, device());
      execute_on(ConvertLayout<T, T>{range(left, right), back.map()}, device());
      EXPECT_TRUE(same_bits(back.memory(), b.memory()));
      const auto all = both.plain(), first = a.plain(), second = b.plain();
      const std::size_t plane = 35;
      for (std::size_t image = 0; image < 2; ++image)
        for (std::size_t i = 0; i < (left + right) * plane; ++i)
          EXPECT_EQ(all[image * (left + right) * plane + i], i < left * plane
                                                                 ? first[image * left * plane + i]
                                                                 : second[image * right * plane + i - left * plane]);
    }
  });
}

TEST_P(ConvertLayouts, SpecialValues) {
  std::vector<float> values{0.0f,
                            -0.0f,
                            infinity,
                            -infinity,
                            nan,
                            -nan,
                            std::bit_cast<float>(0x7f800001u),
                            std::bit_cast<float>(0x7fffffffu),
                            std::numeric_limits<float>::max(),
                            std::numeric_limits<float>::denorm_min(),
                            0x1p-133f,
                            0x1p-134f,
                            0x1.8p-133f,
                            1.00390625f,
                            1.01171875f,
                            0x1.fep127f,
                            0x1.feffp127f,
                            0x1.ffp127f};
  while (values.size() % 32 != 0) values.push_back(-1.0f / static_cast<float>(values.size()));
  for_pairs([&](auto from_type, auto to_type) {
    using From = decltype(from_type);
    using To = decltype(to_type);
    for (int channels : {1, 4, 32}) {
      const MapShape shape{1, channels, 1, static_cast<int>(values.size()) / channels};
      for (const MapLayout& layout : {channels_last(channels), MapLayout{1, 0, channels}}) {
        DeviceMap<From> from(device(), shape, channels_last(channels));
        from.set(values);
        check(from, DeviceMap<To>(device(), shape, layout));
      }
    }
  });
}

TEST_P(ConvertLayouts, TheSameBitsInAnyOrder) {
  for_pairs([&](auto from_type, auto to_type) {
    using From = decltype(from_type);
    using To = decltype(to_type);
    Random random("copy bits");
    const MapShape shape{2, 40, 5, 9};
    for (const MapLayout& layout : {channels_last(40), MapLayout{1, 0, 40}}) {
      DeviceMap<From> from(device(), shape, channels_last(40, 8, 0));
      from.set(random.values(shape.elements()));
      std::vector<std::vector<To>> results;
      for (const Device& variant : five_variants(device())) {
        const DeviceMap<To> to(device(), shape, layout);
        execute_on(ConvertLayout<From, To>{from.map(), to.map()}, variant);
        results.push_back(to.memory());
        EXPECT_TRUE(same_bits(results.back(), results.front()));
      }
    }
  });
}

TEST_P(ConvertLayouts, MoveWhatCostSays) {
  if (device().kind != DeviceKind::emulated || !emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  for_pairs([&](auto from_type, auto to_type) {
    using From = decltype(from_type);
    using To = decltype(to_type);
    for (int channels : {3, 64}) {
      const MapShape shape{2, channels, 16, channels == 3 ? 64 : 16};
      const std::vector<float> zeros(shape.elements());
      const MapLayout plain{1, 0, channels}, last = channels_last(channels), wide = channels_last(channels, 64, 32);
      const auto count = [&](const MapLayout& from_layout, const MapLayout& to_layout, const char* what) {
        DeviceMap<From> from(device(), shape, from_layout);
        from.set(zeros);
        const DeviceMap<To> to(device(), shape, to_layout);
        expect_moves_what_cost_says(
            ConvertLayout<From, To>{from.map(), to.map()}, device(),
            shape.text() + " " + name_of_storage<From>() + " " + name_of_storage<To>() + ", " + what);
      };
      count(last, last, "channels-last");
      count(plain, last, "plain to channels-last");
      count(last, plain, "channels-last to plain");
      if (channels == 64) count(last, wide, "into a wider map");
      if (channels == 64) count(wide, plain, "from a wider map to plain");
    }
  });
}

INSTANTIATE_ON_ALL_DEVICES(ConvertLayouts);

}  // namespace
}  // namespace preceptor::test
