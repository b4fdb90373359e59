// Resized maps against the triangle's definition on every device, in any layout, and in the same bits in any order.
#include "kernels/resize/resize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/resize/reference.h"
#include "tests/support/compare.h"
#include "tests/support/random_maps.h"

namespace preceptor::test {
namespace {

using namespace kernels;

TEST(ResizeReference, WorkedByHand) {
  using Line = std::vector<double>;
  EXPECT_EQ(reference::resize_line(Line{1, 2, 4}, 3), (Line{1, 2, 4}));
  EXPECT_EQ(reference::resize_line(Line{0, 4}, 4), (Line{0, 1, 3, 4}));
  // Centers 0.5 and 2.5, reach 2: weights 1/4 3/4 3/4 1/4, without those outside.
  const Line halved = reference::resize_line(Line{1, 0, 0, 7}, 2);
  EXPECT_DOUBLE_EQ(halved[0], 0.75 / 1.75);
  EXPECT_DOUBLE_EQ(halved[1], 7 * 0.75 / 1.75);
  for (double value : reference::resize_line(Line{3, 3, 3, 3, 3}, 2)) EXPECT_DOUBLE_EQ(value, 3);
}

TEST(ResizeAxis, StaysInsideAndAddsUpToOne) {
  for (const auto& [from, to] : {std::pair{1, 1}, {1, 9}, {9, 1}, {64, 224}, {224, 64}, {1024, 320}, {7, 5}, {2, 3}}) {
    const Axis axis(from, to);
    ASSERT_EQ(axis.first.size(), static_cast<std::size_t>(to));
    for (int i = 0; i < to; ++i) {
      EXPECT_GE(axis.first[i], 0);
      EXPECT_LE(axis.first[i] + axis.taps, from);
      double sum = 0;
      for (int j = 0; j < axis.taps; ++j) sum += static_cast<double>(axis.weight[i * axis.taps + j]);
      EXPECT_NEAR(sum, 1, axis.taps * float_roundoff);
    }
  }
}

// torch's interpolate(mode="nearest") and adaptive_avg_pool2d, and the derivative of every rule: its transpose.
TEST(ResizeAxis, FollowsItsRule) {
  for (const auto& [from, to] : {std::pair{1, 1}, {1, 9}, {9, 1}, {7, 4}, {4, 7}, {8, 2}, {56, 4}, {5, 3}, {3, 6}}) {
    for (ResizeRule rule : {ResizeRule::linear, ResizeRule::nearest, ResizeRule::mean}) {
      const Axis axis(from, to, rule), back = axis.transposed(from);
      ASSERT_EQ(back.first.size(), static_cast<std::size_t>(from));
      std::vector<std::vector<float>> matrix(to, std::vector<float>(from)), transposed = matrix;
      for (int i = 0; i < to; ++i)
        for (int j = 0; j < axis.taps; ++j) matrix[i].at(axis.first[i] + j) = axis.weight[i * axis.taps + j];
      for (int j = 0; j < from; ++j)
        for (int i = 0; i < back.taps; ++i) transposed.at(back.first[j] + i)[j] = back.weight[j * back.taps + i];
      EXPECT_EQ(matrix, transposed) << from << " to " << to;
      for (int i = 0; i < to && rule != ResizeRule::linear; ++i) {
        const int begin = i * from / to, end = rule == ResizeRule::mean ? ((i + 1) * from + to - 1) / to : begin + 1;
        for (int j = 0; j < from; ++j)
          EXPECT_EQ(matrix[i][j], j >= begin && j < end ? 1.0f / static_cast<float>(end - begin) : 0.0f);
      }
    }
  }
}

class Resizes : public DeviceTest {
 protected:
  struct Tables {
    Tables(const Device& device, int from, int to)
        : axis(from, to), first(device, axis.first), weight(device, axis.weight) {}
    Axis axis;
    DeviceBuffer<int> first;
    DeviceBuffer<float> weight;
  };
  template <class T>
  void resize(const DeviceMap<T>& x, const DeviceMap<T>& y, const Device& on) const {
    const FeatureMap<T> from = x.map(), to = y.map();
    const Tables rows(on, from.height, to.height), columns(on, from.width, to.width);
    execute_on(Resize<T>{from, to, rows.first.data(), rows.weight.data(), columns.first.data(), columns.weight.data(),
                         rows.axis.taps, columns.axis.taps},
               on);
  }
  MapLayout layout(int channels) const { return on_cpu() ? MapLayout{1, 0, channels} : channels_last(channels); }
};

TEST_P(Resizes, EqualTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("resize");
    Comparison comparison(name_of(device().kind) + ", resize " + name_of_storage<T>());
    for (const auto& [channels, height, width, to_height, to_width] : {std::array{1, 1, 1, 3, 5},
                                                                       {3, 8, 8, 8, 8},
                                                                       {3, 9, 7, 33, 20},
                                                                       {2, 32, 31, 7, 13},
                                                                       {1, 40, 5, 10, 17},
                                                                       {3, 5, 64, 1, 1},
                                                                       {1, 3, 200, 3, 129},
                                                                       {16, 6, 6, 3, 9}}) {
      if (watched(device()) && to_height * to_width > 400) continue;
      const MapShape shape{2, channels, height, width}, out{2, channels, to_height, to_width};
      DeviceMap<T> x(device(), shape, layout(channels));
      const DeviceMap<T> y(device(), out, layout(channels));
      x.set(random.values(shape.elements()));
      resize(x, y, device());
      const auto values = x.plain();
      const auto expected = reference::resize(values, 2 * channels, height, width, to_height, to_width);
      std::vector<double> absolute;
      for (double value : values) absolute.push_back(std::abs(value));
      const auto magnitude = reference::resize(absolute, 2 * channels, height, width, to_height, to_width);
      const auto actual = y.plain();
      const int taps = Axis(height, to_height).taps * Axis(width, to_width).taps;
      // Two weights of each product are rounded, and their product with the value.
      for (std::size_t i = 0; i < expected.size(); ++i)
        comparison.check(actual[i], expected[i], with_storage<T>(allowed(taps, magnitude[i]), expected[i]), i);
      EXPECT_TRUE(y.neighbors_untouched());
    }
  });
}

TEST_P(Resizes, TheSameBitsInAnyOrder) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("resize bits");
    const MapShape shape{2, 3, 9, 11}, out{2, 3, 5, 50};
    DeviceMap<T> x(device(), shape, layout(3));
    x.set(random.values(shape.elements()));
    std::vector<std::vector<T>> results;
    for (const Device& variant : five_variants(device())) {
      const DeviceMap<T> y(device(), out, layout(3));
      resize(x, y, variant);
      results.push_back(y.memory());
      EXPECT_TRUE(same_bits(results.back(), results.front()));
    }
  });
}

INSTANTIATE_ON_ALL_DEVICES(Resizes);

}  // namespace
}  // namespace preceptor::test
