// Pooling against its reference: windows, strides, padding, layouts, ties, NaNs.
#include "kernels/pooling/pooling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/pooling/reference.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/feature_maps.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

using namespace kernels;
using reference::PoolSizes;

struct Window {
  int window, stride, padding;
};
constexpr Window windows[] = {{3, 2, 1}, {2, 2, 0}, {3, 1, 1}, {2, 1, 0}, {5, 3, 2}, {1, 1, 0}, {4, 2, 2}, {2, 3, 1}};

// A shape that the window fits into, and the shape of its output.
struct PoolCase {
  PoolCase(Random& random, int block, const Window& w) {
    do {
      in = random_shape(random, block);
    } while (in.height + 2 * w.padding < w.window || in.width + 2 * w.padding < w.window);
    sizes = {in.images * in.channels, in.height, in.width, w.window, w.stride, w.padding};
    out = {in.images, in.channels, sizes.out_height(), sizes.out_width()};
  }
  std::string text(int block) const {
    return in.text() + " block " + std::to_string(block) + " window " + std::to_string(sizes.window) + " stride " +
           std::to_string(sizes.stride) + " padding " + std::to_string(sizes.padding);
  }
  MapShape in{}, out{};
  PoolSizes sizes{};
};

// Values in y's layout with pitch == channels from plain order, and back.
std::vector<std::uint8_t> to_plain(const std::vector<std::uint8_t>& blocked, const MapShape& shape, int block) {
  std::vector<std::uint8_t> result;
  const FeatureMap<const std::uint8_t> map{blocked.data(), shape.images, shape.channels, shape.height,
                                           shape.width,    block,        shape.channels};
  for (int n = 0; n < shape.images; ++n)
    for (int c = 0; c < shape.channels; ++c)
      for (int y = 0; y < shape.height; ++y)
        for (int x = 0; x < shape.width; ++x) result.push_back(blocked[map.offset(n, c, y, x)]);
  return result;
}

TEST(Pooling, ReferenceGradientsMatchFiniteDifferences) {
  Random random("pooling gradient");
  for (const Window& w : windows) {
    const PoolSizes sizes{2, 6, 5, w.window, w.stride, w.padding};
    // All values differ by 0.1 and more, so no step of the differences changes a winner.
    std::vector<double> x(sizes.x_elements());
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = 0.1 * static_cast<double>((i * 37) % 61);
    const auto weights = to_double(random.values(sizes.y_elements()));
    const auto winner = reference::max_pool(sizes, x).winner;
    check_gradient(x, reference::max_pool_backward(sizes, winner, weights),
                   [&](const auto& at) { return dot(weights, reference::max_pool(sizes, at).y); });
    for (bool count_padding : {false, true})
      check_gradient(x, reference::average_pool_backward(sizes, count_padding, weights),
                     [&](const auto& at) { return dot(weights, reference::average_pool(sizes, count_padding, at)); });
  }
  const auto x = to_double(random.values(3 * 20)), weights = to_double(random.values(3));
  check_gradient(x, reference::global_average_pool_backward(3, 20, weights),
                 [&](const auto& at) { return dot(weights, reference::global_average_pool(3, 20, at)); });
}

TEST(Pooling, MaximumMatchesTheReference) {
  Random random("max pool");
  Comparison gradients("max pool backward");
  for (int block : all_blocks)
    for (const Window& w : windows)
      for (Kind kind : all_kinds) {
        const PoolCase c(random, block, w);
        SCOPED_TRACE(c.text(block) + " " + name_of(kind));
        MapBuffer x(c.in, block, random.coin()), y(c.out, block, random.coin());
        MapBuffer d_y(c.out, block, random.coin()), d_x(c.in, block, random.coin());
        auto values = random.values(c.in.elements(), kind);
        if (random.coin())
          for (float& value : values) value = std::round(value * 2) / 2;  // ties
        x.set(values);
        std::vector<std::uint8_t> winner(c.out.elements(), 255);
        execute(MaxPoolForward{x.map(), y.map(), winner.data(), w.window, w.stride, w.padding});
        const auto expected = reference::max_pool(c.sizes, values);
        EXPECT_EQ(y.plain(), expected.y);
        EXPECT_EQ(to_plain(winner, c.out, block), expected.winner);
        MapBuffer again(c.out, block);
        execute(MaxPoolForward{x.map(), again.map(), nullptr, w.window, w.stride, w.padding});
        EXPECT_EQ(again.plain(), expected.y);

        const auto gradient = random.values(c.out.elements());
        d_y.set(gradient);
        execute(MaxPoolBackward{d_y.map(), winner.data(), d_x.map(), w.window, w.stride, w.padding});
        const auto d = reference::max_pool_backward(c.sizes, expected.winner, to_double(gradient));
        std::vector<double> magnitudes;
        for (float value : gradient) magnitudes.push_back(std::abs(static_cast<double>(value)));
        const auto terms = reference::max_pool_backward(c.sizes, expected.winner, magnitudes);
        const auto actual = d_x.plain();
        for (std::size_t i = 0; i < d.size(); ++i)
          gradients.check(static_cast<double>(actual[i]), d[i], allowed(w.window * w.window, terms[i], 1), i);
        for (const MapBuffer* map : {&x, &y, &d_y, &d_x}) EXPECT_TRUE(map->neighbours_untouched());
      }
}

TEST(Pooling, NotANumberWinsAndMinusInfinityIsAValue) {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (int block : all_blocks) {
    const MapShape in{1, block, 2, 4}, out{1, block, 1, 2};
    std::vector<float> values;
    for (int c = 0; c < block; ++c)
      values.insert(values.end(), {1, nan, -infinity, -infinity, 3, 2, -infinity, -infinity});
    MapBuffer x(in, block), y(out, block);
    x.set(values);
    std::vector<std::uint8_t> winner(out.elements(), 255);
    execute(MaxPoolForward{x.map(), y.map(), winner.data(), 2, 2, 0});
    const auto result = y.plain();
    const auto positions = to_plain(winner, out, block);
    for (int c = 0; c < block; ++c) {
      EXPECT_TRUE(std::isnan(result[2 * c]));
      EXPECT_EQ(positions[2 * c], 1);
      EXPECT_EQ(result[2 * c + 1], -infinity);
      EXPECT_EQ(positions[2 * c + 1], 0);
    }
  }
}

TEST(Pooling, AverageMatchesTheReference) {
  Random random("average pool");
  Comparison forward("average pool forward"), backward("average pool backward");
  for (int block : all_blocks)
    for (const Window& w : windows)
      for (bool count_padding : {false, true}) {
        const PoolCase c(random, block, w);
        SCOPED_TRACE(c.text(block));
        // A window of padding alone has no mean over its own positions.
        if (!count_padding && 2 * w.padding > w.window) continue;
        MapBuffer x(c.in, block, random.coin()), y(c.out, block, random.coin());
        MapBuffer d_y(c.out, block, random.coin()), d_x(c.in, block, random.coin());
        const auto values = random.values(c.in.elements()), gradient = random.values(c.out.elements());
        x.set(values);
        d_y.set(gradient);
        execute(AveragePoolForward{x.map(), y.map(), w.window, w.stride, w.padding, count_padding});
        execute(AveragePoolBackward{d_y.map(), d_x.map(), w.window, w.stride, w.padding, count_padding});
        const auto magnitude = [](std::vector<double> of) {
          for (double& value : of) value = std::abs(value);
          return of;
        };
        const auto wide = to_double(values), wide_gradient = to_double(gradient);
        const auto y_expected = reference::average_pool(c.sizes, count_padding, wide);
        const auto y_terms = reference::average_pool(c.sizes, count_padding, magnitude(wide));
        const auto d_expected = reference::average_pool_backward(c.sizes, count_padding, wide_gradient);
        const auto d_terms = reference::average_pool_backward(c.sizes, count_padding, magnitude(wide_gradient));
        const auto y_actual = y.plain(), d_actual = d_x.plain();
        const double n = w.window * w.window;
        for (std::size_t i = 0; i < y_actual.size(); ++i)
          forward.check(static_cast<double>(y_actual[i]), y_expected[i], allowed(n, y_terms[i]), i);
        for (std::size_t i = 0; i < d_actual.size(); ++i)
          backward.check(static_cast<double>(d_actual[i]), d_expected[i], allowed(n, d_terms[i]), i);
        for (const MapBuffer* map : {&x, &y, &d_y, &d_x}) EXPECT_TRUE(map->neighbours_untouched());
      }
}

TEST(Pooling, GlobalAverageMatchesTheReference) {
  Random random("global average pool");
  Comparison forward("global average pool forward"), backward("global average pool backward");
  for (int block : all_blocks)
    for (Kind kind : all_kinds)
      for (int repeat = 0; repeat < 4; ++repeat) {
        const MapShape shape = random_shape(random, block);
        SCOPED_TRACE(shape.text() + " block " + std::to_string(block) + " " + name_of(kind));
        const int planes = shape.images * shape.channels;
        MapBuffer x(shape, block, random.coin()), d_x(shape, block, random.coin());
        const auto values = random.values(shape.elements(), kind), d_y = random.values(planes, kind);
        x.set(values);
        std::vector<float> y(planes);
        execute(GlobalAveragePoolForward{x.map(), y.data()});
        execute(GlobalAveragePoolBackward{d_y.data(), d_x.map()});
        auto magnitudes = to_double(values);
        for (double& value : magnitudes) value = std::abs(value);
        const auto expected = reference::global_average_pool(planes, shape.plane(), to_double(values));
        const auto terms = reference::global_average_pool(planes, shape.plane(), magnitudes);
        for (int i = 0; i < planes; ++i)
          forward.check(static_cast<double>(y[i]), expected[i], allowed(shape.plane(), terms[i]), i);
        const auto d_expected = reference::global_average_pool_backward(planes, shape.plane(), to_double(d_y));
        const auto d_actual = d_x.plain();
        for (std::size_t i = 0; i < d_actual.size(); ++i)
          backward.check(static_cast<double>(d_actual[i]), d_expected[i], allowed(1, std::abs(d_expected[i]), 1), i);
        EXPECT_TRUE(x.neighbours_untouched() && d_x.neighbours_untouched());
      }
}

TEST(Pooling, TheSameBitsWhateverTheThreads) {
  Random random("pooling bits");
  const MapShape in{5, 48, 31, 33}, out{5, 48, 16, 17};
  MapBuffer x(in, 16), y(out, 16), d_x(in, 16);
  x.set(random.values(in.elements()));
  std::vector<std::uint8_t> winner(out.elements());
  std::vector<float> mean(static_cast<std::size_t>(in.images) * in.channels);
  std::vector<std::vector<float>> first;
  for (int threads : {1, 2, 3}) {
    execute(MaxPoolForward{x.map(), y.map(), winner.data(), 3, 2, 1}, threads);
    execute(MaxPoolBackward{y.map(), winner.data(), d_x.map(), 3, 2, 1}, threads);
    execute(GlobalAveragePoolForward{x.map(), mean.data()}, threads);
    const std::vector<std::vector<float>> now{y.memory(), d_x.memory(), mean};
    if (first.empty()) first = now;
    for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(same_bits(now[i], first[i])) << threads << " " << i;
  }
}

}  // namespace
}  // namespace preceptor::test
