// Pooling against its reference on every device: windows, strides, padding, layouts, ties, NaNs, bits.
#include "kernels/pooling/pooling.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/pooling/reference.h"
#include "tests/support/compare.h"
#include "tests/support/gradient_check.h"
#include "tests/support/random_maps.h"

namespace preceptor::test {
namespace {

using namespace kernels;
using reference::PoolSizes;

struct Window {
  int window, stride, padding;
};
constexpr Window windows[] = {{3, 2, 1}, {2, 2, 0}, {3, 1, 1}, {2, 1, 0}, {5, 3, 2},
                              {1, 1, 0}, {4, 2, 2}, {2, 3, 1}, {7, 2, 3}};

// A shape that the window fits into, and the shape of its output.
struct PoolCase {
  PoolCase(Random& random, const Device& device, int number, const Window& w) {
    do {
      in = random_map(random, device, number);
    } while (in.shape.height + 2 * w.padding < w.window || in.shape.width + 2 * w.padding < w.window);
    sizes = {in.shape.images * in.shape.channels, in.shape.height, in.shape.width, w.window, w.stride, w.padding};
    out = {{in.shape.images, in.shape.channels, sizes.out_height(), sizes.out_width()}, in.block};
  }
  std::string text() const {
    return in.text() + " window " + std::to_string(sizes.window) + " stride " + std::to_string(sizes.stride) +
           " padding " + std::to_string(sizes.padding);
  }
  RandomMap in{}, out{};
  PoolSizes sizes{};
};

// Winners in plain order from y's layout with channel_stride == channels.
std::vector<std::uint8_t> to_plain(const std::vector<std::uint8_t>& winner, const RandomMap& map) {
  std::vector<std::uint8_t> result;
  const MapShape& shape = map.shape;
  const FeatureMap<const std::uint8_t> all{winner.data(), shape.images, shape.channels,
                                           shape.height,  shape.width,  map.block ? map.block : shape.channels,
                                           shape.channels};
  for (int n = 0; n < shape.images; ++n)
    for (int c = 0; c < shape.channels; ++c)
      for (int y = 0; y < shape.height; ++y)
        for (int x = 0; x < shape.width; ++x) result.push_back(winner[all.offset(n, c, y, x)]);
  return result;
}

std::vector<double> magnitudes(std::vector<double> values) {
  for (double& value : values) value = std::abs(value);
  return values;
}

TEST(PoolingReference, ReferenceGradientsMatchFiniteDifferences) {
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

class Pooling : public DeviceTest {
 protected:
  template <class T>
  std::string label(const char* what) const {
    return std::string(what) + ", " + name_of(device().kind) + ", " + name_of_storage<T>();
  }
  // Calls body(case, window) for all windows and several shapes and layouts of each.
  template <class T, class Body>
  void for_cases(Random& random, int repeats, const Body& body) const {
    int number = 0;
    for (const Window& w : windows)
      for (int repeat = 0; repeat < (watched(device()) ? 1 : repeats); ++repeat, ++number) {
        const PoolCase c(random, device(), number, w);
        SCOPED_TRACE(c.text() + " " + name_of_storage<T>());
        body(c, w);
      }
  }
  template <class T>
  DeviceMap<T> map(Random& random, const RandomMap& shape) const {
    return {device(), shape.shape, random_layout(random, shape)};
  }
};

TEST_P(Pooling, MaximumMatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("max pool");
    Comparison gradients(label<T>("max pool backward"));
    for (Kind kind : all_kinds)
      for_cases<T>(random, on_cpu() ? 3 : 2, [&](const PoolCase& c, const Window& w) {
        DeviceMap<T> x = map<T>(random, c.in), d_x = map<T>(random, c.in);
        DeviceMap<T> y = map<T>(random, c.out), again = map<T>(random, c.out), d_y = map<T>(random, c.out);
        auto values = random.values(c.in.shape.elements(), kind);
        if (random.coin())
          for (float& value : values) value = std::round(value * 2) / 2;  // ties
        x.set(values);
        d_y.set(random.values(c.out.shape.elements()));
        // From an address that groups may begin at, or from any other.
        const std::size_t shift = on_cpu() || random.coin() ? 0 : 1;
        const DeviceBuffer<std::uint8_t> winner(device(),
                                                std::vector<std::uint8_t>(c.out.shape.elements() + shift, 255));
        std::uint8_t* const winners = winner.data() + shift;
        execute_on(MaxPoolForward<T>{x.map(), y.map(), winners, w.window, w.stride, w.padding}, device());
        execute_on(MaxPoolForward<T>{x.map(), again.map(), nullptr, w.window, w.stride, w.padding}, device());
        execute_on(MaxPoolBackward<T>{d_y.map(), winners, d_x.map(), w.window, w.stride, w.padding}, device());
        const auto expected = reference::max_pool(c.sizes, x.plain());
        EXPECT_EQ(y.plain(), expected.y);
        EXPECT_EQ(again.plain(), expected.y);
        auto bytes = winner.host();
        bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(shift));
        EXPECT_EQ(to_plain(bytes, c.out), expected.winner);
        const auto d = reference::max_pool_backward(c.sizes, expected.winner, d_y.plain());
        const auto terms = reference::max_pool_backward(c.sizes, expected.winner, magnitudes(d_y.plain()));
        const auto actual = d_x.plain();
        for (std::size_t i = 0; i < d.size(); ++i)
          gradients.check(actual[i], d[i], with_storage<T>(allowed(w.window * w.window, terms[i], 1), d[i]), i);
        for (const auto* map : {&x, &y, &again, &d_y, &d_x}) EXPECT_TRUE(map->neighbors_untouched());
      });
  });
}

// So many rows that a thread walks down several, from one image to the next.
TEST_P(Pooling, ManyRows) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("pooling many rows");
    const int channels = on_cpu() ? 1 : 3;
    for (const Window& w : {Window{3, 2, 1}, {2, 1, 0}}) {
      const RandomMap in{{131, channels, 37, 3}, on_cpu() ? 1 : 0};
      const PoolSizes sizes{131 * channels, 37, 3, w.window, w.stride, w.padding};
      const RandomMap out{{131, channels, sizes.out_height(), sizes.out_width()}, in.block};
      DeviceMap<T> x = map<T>(random, in), y = map<T>(random, out), d_x = map<T>(random, in);
      x.set(random.values(in.shape.elements()));
      const DeviceBuffer<std::uint8_t> winner(device(), std::vector<std::uint8_t>(out.shape.elements(), 255));
      execute_on(MaxPoolForward<T>{x.map(), y.map(), winner.data(), w.window, w.stride, w.padding}, device());
      const auto expected = reference::max_pool(sizes, x.plain());
      EXPECT_EQ(y.plain(), expected.y);
      EXPECT_EQ(to_plain(winner.host(), out), expected.winner);
      // Whole numbers, whose sums are exact.
      auto values = random.values(out.shape.elements());
      for (float& value : values) value = std::round(4 * value);
      y.set(values);
      execute_on(MaxPoolBackward<T>{y.map(), winner.data(), d_x.map(), w.window, w.stride, w.padding}, device());
      EXPECT_EQ(d_x.plain(), reference::max_pool_backward(sizes, expected.winner, y.plain()));
    }
  });
}

// The last NaN of a window wins, as in torch, and passes its gradient; -infinity is a value like others.
TEST_P(Pooling, NotANumberWinsAndMinusInfinityIsAValue) {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    for (int channels : {1, 8, 16}) {
      const int block = on_cpu() ? channels : 0;
      const RandomMap in{{1, channels, 2, 6}, block}, out{{1, channels, 1, 3}, block};
      std::vector<float> values;
      for (int c = 0; c < channels; ++c)
        values.insert(values.end(), {1, nan, -infinity, -infinity, nan, 5,  //
                                     3, 2, -infinity, -infinity, 7, nan});
      const MapLayout layout = on_cpu() ? channel_blocked(channels, block, false) : channels_last(channels);
      DeviceMap<T> x(device(), in.shape, layout), y(device(), out.shape, layout), d_x(device(), in.shape, layout);
      x.set(values);
      const DeviceBuffer<std::uint8_t> winner(device(), std::vector<std::uint8_t>(out.shape.elements(), 255));
      execute_on(MaxPoolForward<T>{x.map(), y.map(), winner.data(), 2, 2, 0}, device());
      execute_on(MaxPoolBackward<T>{y.map(), winner.data(), d_x.map(), 2, 2, 0}, device());
      const auto result = y.plain(), gradient = d_x.plain();
      const auto positions = to_plain(winner.host(), out);
      constexpr int expected[] = {1, 0, 3};
      const auto is_value = [&](double value, int i) { return i == 1 ? value == -infinity : std::isnan(value); };
      for (int c = 0; c < channels; ++c)
        for (int i = 0; i < 3; ++i) {
          EXPECT_EQ(positions[3 * c + i], expected[i]);
          EXPECT_TRUE(is_value(result[3 * c + i], i)) << result[3 * c + i];
          for (int position = 0; position < 4; ++position) {
            const double d = gradient[12 * c + position / 2 * 6 + 2 * i + position % 2];
            EXPECT_TRUE(position == expected[i] ? is_value(d, i) : d == 0) << d;
          }
        }
    }
  });
}

// Padding never wins, not even over -infinity: the first position that is not padding does.
TEST_P(Pooling, MinusInfinityWinsOverPadding) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("pooling minus infinity");
    const float infinity = std::numeric_limits<float>::infinity();
    for_cases<T>(random, 1, [&](const PoolCase& c, const Window& w) {
      DeviceMap<T> x = map<T>(random, c.in), y = map<T>(random, c.out);
      const std::vector<float> values(c.in.shape.elements(), -infinity);
      x.set(values);
      const DeviceBuffer<std::uint8_t> winner(device(), std::vector<std::uint8_t>(c.out.shape.elements(), 255));
      execute_on(MaxPoolForward<T>{x.map(), y.map(), winner.data(), w.window, w.stride, w.padding}, device());
      EXPECT_EQ(y.plain(), std::vector<double>(c.out.shape.elements(), -infinity));
      EXPECT_EQ(to_plain(winner.host(), c.out), reference::max_pool(c.sizes, values).winner);
    });
  });
}

TEST_P(Pooling, AverageMatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("average pool");
    Comparison forward(label<T>("average pool forward")), backward(label<T>("average pool backward"));
    for (bool count_padding : {false, true})
      for_cases<T>(random, 3, [&](const PoolCase& c, const Window& w) {
        DeviceMap<T> x = map<T>(random, c.in), d_x = map<T>(random, c.in);
        DeviceMap<T> y = map<T>(random, c.out), d_y = map<T>(random, c.out);
        x.set(random.values(c.in.shape.elements()));
        d_y.set(random.values(c.out.shape.elements()));
        execute_on(AveragePoolForward<T>{x.map(), y.map(), w.window, w.stride, w.padding, count_padding}, device());
        execute_on(AveragePoolBackward<T>{d_y.map(), d_x.map(), w.window, w.stride, w.padding, count_padding},
                   device());
        const auto check = [&](Comparison& comparison, const DeviceMap<T>& map, const std::vector<double>& expected,
                               const std::vector<double>& terms) {
          const auto actual = map.plain();
          for (std::size_t i = 0; i < actual.size(); ++i)
            comparison.check(actual[i], expected[i],
                             with_storage<T>(allowed(w.window * w.window, terms[i]), expected[i]), i);
        };
        check(forward, y, reference::average_pool(c.sizes, count_padding, x.plain()),
              reference::average_pool(c.sizes, count_padding, magnitudes(x.plain())));
        check(backward, d_x, reference::average_pool_backward(c.sizes, count_padding, d_y.plain()),
              reference::average_pool_backward(c.sizes, count_padding, magnitudes(d_y.plain())));
        for (const auto* map : {&x, &y, &d_y, &d_x}) EXPECT_TRUE(map->neighbors_untouched());
      });
  });
}

TEST_P(Pooling, GlobalAverageMatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("global average pool");
    Comparison forward(label<T>("global average forward")), backward(label<T>("global average backward"));
    const auto check = [&](const RandomMap& shape, Kind kind) {
      SCOPED_TRACE(shape.text() + " " + name_of(kind) + " " + name_of_storage<T>());
      const int planes = shape.shape.images * shape.shape.channels, plane = shape.shape.plane();
      DeviceMap<T> x = map<T>(random, shape), d_x = map<T>(random, shape);
      x.set(random.values(shape.shape.elements(), kind));
      const DeviceBuffer<float> y(device(), std::vector<float>(planes));
      const DeviceBuffer<float> d_y(device(), stored<float>(random.values(planes, kind)));
      execute_with_workspace(GlobalAveragePoolForward<T>{x.map(), y.data(), nullptr}, device());
      execute_on(GlobalAveragePoolBackward<T>{d_y.data(), d_x.map()}, device());
      const auto expected = reference::global_average_pool(planes, plane, x.plain());
      const auto terms = reference::global_average_pool(planes, plane, magnitudes(x.plain()));
      const auto y_actual = widened(y.host());
      for (int i = 0; i < planes; ++i) forward.check(y_actual[i], expected[i], allowed(plane, terms[i]), i);
      const auto d_expected = reference::global_average_pool_backward(planes, plane, widened(d_y.host()));
      const auto d_actual = d_x.plain();
      for (std::size_t i = 0; i < d_actual.size(); ++i)
        backward.check(d_actual[i], d_expected[i],
                       with_storage<T>(allowed(1, std::abs(d_expected[i]), 1), d_expected[i]), i);
      EXPECT_TRUE(x.neighbors_untouched() && d_x.neighbors_untouched());
    };
    for (Kind kind : all_kinds)
      for (int number = 0; number < (on_cpu() ? 12 : 8); ++number) check(random_map(random, device(), number), kind);
    if (on_cpu()) return;
    // The maps that close networks; more pixels than one block takes; more shares than are added up at once.
    for (const MapShape& shape : {MapShape{2, 512, 7, 7}, {1, 64, 33, 61}, {1, 33, 61, 61}, {1, 5, 127, 129}})
      if (!watched(device()) || shape.width == 61) check({shape, 0}, Kind::normal);
  });
}

TEST_P(Pooling, TheSameBitsInAnyOrder) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("pooling bits");
    const int side = on_cpu() ? 33 : 37, images = on_cpu() ? 5 : 1, channels = on_cpu() ? 48 : 24;
    const RandomMap in{{images, channels, side, side}, on_cpu() ? 16 : 0};
    const RandomMap out{{images, channels, side / 2 + 1, side / 2 + 1}, in.block};
    const MapLayout layout = on_cpu() ? channel_blocked(channels, 16, false) : channels_last(channels);
    DeviceMap<T> x(device(), in.shape, layout), y(device(), out.shape, layout);
    const DeviceMap<T> d_x(device(), in.shape, layout), average(device(), out.shape, layout);
    x.set(random.values(in.shape.elements()));
    const DeviceBuffer<std::uint8_t> winner(device(), std::vector<std::uint8_t>(out.shape.elements()));
    const DeviceBuffer<float> mean(device(), std::vector<float>(static_cast<std::size_t>(images) * channels));
    std::vector<std::vector<T>> first;
    std::vector<float> first_mean;
    for (const Device& variant : five_variants(device())) {
      std::vector<std::vector<T>> now;
      execute_on(MaxPoolForward<T>{x.map(), y.map(), winner.data(), 3, 2, 1}, variant);
      execute_on(MaxPoolBackward<T>{y.map(), winner.data(), d_x.map(), 3, 2, 1}, variant);
      now.insert(now.end(), {y.memory(), d_x.memory()});
      execute_on(AveragePoolForward<T>{x.map(), average.map(), 3, 2, 1, false}, variant);
      execute_on(AveragePoolBackward<T>{average.map(), d_x.map(), 3, 2, 1, false}, variant);
      execute_with_workspace(GlobalAveragePoolForward<T>{x.map(), mean.data(), nullptr}, variant);
      now.insert(now.end(), {average.memory(), d_x.memory()});
      if (first_mean.empty()) first_mean = mean.host();
      EXPECT_TRUE(same_bits(mean.host(), first_mean));
      execute_on(GlobalAveragePoolBackward<T>{mean.data(), d_x.map()}, variant);
      now.push_back(d_x.memory());
      if (first.empty()) first = now;
      for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(same_bits(now[i], first[i])) << i;
    }
  });
}

// Windows that share nothing: memory moves once. What overlapping windows share is read again, from L1, which counts as
// sectors all the same: forward every position of every window, backward all outputs over a cell.
TEST_P(Pooling, MovesWhatCostSays) {
  if (device().kind != DeviceKind::emulated || !emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("pooling counters");
    for (int channels : {64, 96}) {
      const MapShape in{2, channels, 32, 32}, half{2, channels, 16, 16}, overlapping{2, channels, 15, 15};
      const MapLayout layout = channels_last(channels);
      DeviceMap<T> x(device(), in, layout), y(device(), half, layout), z(device(), overlapping, layout);
      x.set(random.values(in.elements()));
      y.set(random.values(half.elements()));
      z.set(random.values(overlapping.elements()));
      const DeviceBuffer<std::uint8_t> winner(device(), std::vector<std::uint8_t>(half.elements()));
      const DeviceBuffer<float> mean(device(), std::vector<float>(static_cast<std::size_t>(in.images) * channels));
      const std::string text = in.text() + " " + name_of_storage<T>() + ", ";
      const auto check = [&](const auto& arguments, const char* what) {
        expect_moves_what_cost_says(arguments, device(), text + what);
      };
      check(MaxPoolForward<T>{x.map(), y.map(), winner.data(), 2, 2, 0}, "max forward");
      check(MaxPoolBackward<T>{y.map(), winner.data(), x.map(), 2, 2, 0}, "max backward");
      check(AveragePoolForward<T>{x.map(), y.map(), 2, 2, 0, true}, "average forward");
      check(AveragePoolBackward<T>{y.map(), x.map(), 2, 2, 0, true}, "average backward");
      check(GlobalAveragePoolForward<T>{x.map(), mean.data(), nullptr}, "global forward");
      check(GlobalAveragePoolBackward<T>{mean.data(), x.map()}, "global backward");

      const auto count = [&](const auto& arguments, double bytes) {
        emulator::start_counting();
        execute_on(arguments, device());
        EXPECT_LE(static_cast<double>(emulator::stop_counting().sectors()), 1.05 * bytes / 32) << text;
      };
      const double outputs = static_cast<double>(overlapping.elements()), inputs = static_cast<double>(in.elements());
      const double cell_columns = 16 * 16 * 2 * channels;
      count(MaxPoolForward<T>{x.map(), z.map(), winner.data(), 3, 2, 0}, outputs * (10 * sizeof(T) + 1));
      count(MaxPoolBackward<T>{z.map(), winner.data(), x.map(), 3, 2, 0},
            inputs * sizeof(T) + cell_columns * 4 * (sizeof(T) + 1));
    }
  });
}

INSTANTIATE_ON_ALL_DEVICES(Pooling);

}  // namespace
}  // namespace preceptor::test
