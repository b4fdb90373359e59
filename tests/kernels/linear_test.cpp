// The fully connected layer against its reference on every device: awkward sizes, gradients wanted or not, bits.
#include "kernels/linear/linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/linear/reference.h"
#include "tests/support/compare.h"
#include "tests/support/gradient_check.h"
#include "tests/support/variants.h"

namespace preceptor::test {
namespace {

using namespace kernels;
using reference::LinearSizes;
using Doubles = std::vector<double>;

TEST(LinearReference, GradientMatchesFiniteDifferences) {
  Random random("linear gradient");
  const LinearSizes sizes{3, 4, 2};
  const auto x = to_double(random.values(12)), weight = to_double(random.values(8)), bias = to_double(random.values(2));
  const auto d_y = to_double(random.values(6));
  const auto gradients = reference::linear_backward(sizes, x, weight, d_y);
  check_gradient(x, gradients.d_x,
                 [&](const auto& at) { return dot(d_y, reference::linear(sizes, at, weight, bias)); });
  check_gradient(weight, gradients.d_weight,
                 [&](const auto& at) { return dot(d_y, reference::linear(sizes, x, at, bias)); });
  check_gradient(bias, gradients.d_bias,
                 [&](const auto& at) { return dot(d_y, reference::linear(sizes, x, weight, at)); });
}

Doubles magnitudes(Doubles values) {
  for (double& value : values) value = std::abs(value);
  return values;
}

// Every entry is a sum of n products of operands of type T whose magnitudes add up to `terms`, stored in Stored.
template <class T, class Stored>
void check_all(Comparison& comparison, const Device& device, const Doubles& actual, const Doubles& expected,
               const Doubles& terms, double n) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double error = allowed_of_products<T>(device, n, terms[i]);
    comparison.check(actual[i], expected[i], with_storage<Stored>(error, expected[i]), i);
  }
}

// A layer on a device. Its matrices may begin `offset` values behind an aligned address.
template <class T>
struct LinearLayer {
  LinearLayer(Random& random, const Device& on, const LinearSizes& s, Kind kind = Kind::normal, std::size_t offset = 0)
      : LinearLayer(random, on, s, offset, random.values(count(s.rows, s.in), kind)) {}
  LinearLayer(Random& random, const Device& on, const LinearSizes& s, std::size_t offset,
              const std::vector<float>& values)
      : device(on),
        sizes(s),
        begin(offset),
        x(on, shifted(values)),
        weight(on, shifted(random.values(count(s.out, s.in)))),
        d_y(on, shifted(random.values(count(s.rows, s.out)))),
        y(on, shifted(unset(count(s.rows, s.out)))),
        d_x(on, shifted(unset(count(s.rows, s.in)))),
        bias(on, random.values(s.out)),
        d_weight(on, unset(count(s.out, s.in))),
        d_bias(on, unset(s.out)) {}

  LinearForward<T> forward(bool with_bias) const {
    return {x.data() + begin,
            weight.data() + begin,
            with_bias ? bias.data() : nullptr,
            y.data() + begin,
            sizes.rows,
            sizes.in,
            sizes.out};
  }
  LinearBackward<T> backward() const {
    return {x.data() + begin, weight.data() + begin, d_y.data() + begin, d_x.data() + begin,
            d_weight.data(),  d_bias.data(),         sizes.rows,         sizes.in,
            sizes.out};
  }
  Doubles read(const DeviceBuffer<T>& buffer) const {
    const std::vector<T> values = buffer.host();
    return widened(std::vector<T>(values.begin() + static_cast<std::ptrdiff_t>(begin), values.end()));
  }

  Device device;
  LinearSizes sizes;
  std::size_t begin;
  DeviceBuffer<T> x, weight, d_y, y, d_x;
  DeviceBuffer<float> bias, d_weight, d_bias;

 private:
  static std::size_t count(int rows, int columns) { return static_cast<std::size_t>(rows) * columns; }
  static std::vector<float> unset(std::size_t size) { return std::vector<float>(size, std::nanf("")); }
  std::vector<T> shifted(std::vector<float> values) const {
    values.insert(values.begin(), begin, std::nanf(""));
    return stored<T>(values);
  }
};

class Linear : public DeviceTest {
 protected:
  template <class T>
  std::string label(const char* what) const {
    return "linear, " + name_of(device().kind) + ", " + name_of_storage<T>() + ", " + what;
  }
};

struct LinearComparisons {
  Comparison y, d_x, d_weight, d_bias;
  explicit LinearComparisons(const std::string& name)
      : y(name + "y"), d_x(name + "d_x"), d_weight(name + "d_weight"), d_bias(name + "d_bias") {}
};

template <class T>
void check_forward(const LinearLayer<T>& layer, bool with_bias, LinearComparisons& comparisons) {
  const LinearSizes& s = layer.sizes;
  const Doubles x = layer.read(layer.x), weight = layer.read(layer.weight);
  const Doubles bias = with_bias ? to_double(layer.bias.host()) : Doubles{};
  execute_with_workspace(layer.forward(with_bias), layer.device);
  check_all<T, T>(comparisons.y, layer.device, layer.read(layer.y), reference::linear(s, x, weight, bias),
                  reference::linear(s, magnitudes(x), magnitudes(weight), magnitudes(bias)), s.in + 1);
}

template <class T>
void check_backward(const LinearLayer<T>& layer, LinearComparisons& comparisons) {
  const LinearSizes& s = layer.sizes;
  const Doubles x = layer.read(layer.x), weight = layer.read(layer.weight), d_y = layer.read(layer.d_y);
  execute_with_workspace(layer.backward(), layer.device);
  const auto expected = reference::linear_backward(s, x, weight, d_y);
  const auto terms = reference::linear_backward(s, magnitudes(x), magnitudes(weight), magnitudes(d_y));
  check_all<T, T>(comparisons.d_x, layer.device, layer.read(layer.d_x), expected.d_x, terms.d_x, s.out);
  check_all<T, float>(comparisons.d_weight, layer.device, to_double(layer.d_weight.host()), expected.d_weight,
                      terms.d_weight, s.rows);
  check_all<T, float>(comparisons.d_bias, layer.device, to_double(layer.d_bias.host()), expected.d_bias, terms.d_bias,
                      s.rows);
}

TEST_P(Linear, MatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("linear");
    LinearComparisons comparisons(label<T>(""));
    for (Kind kind : all_kinds)
      for (int repeat = 0; repeat < (watched(device()) ? 3 : 12); ++repeat) {
        const LinearSizes s{random.awkward_size(129), random.awkward_size(129), random.awkward_size(129)};
        SCOPED_TRACE(std::to_string(s.rows) + "x" + std::to_string(s.in) + "x" + std::to_string(s.out) + " " +
                     name_of(kind));
        const LinearLayer<T> layer(random, device(), s, kind);
        check_forward(layer, random.coin(), comparisons);
        check_backward(layer, comparisons);
      }
  });
}

// Whole groups, groups of one operand only, memory that begins between two groups, and so many rows that the gradients
// of the weights are split.
TEST_P(Linear, GroupsTilesAndSplits) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("linear groups");
    LinearComparisons comparisons(label<T>("groups, "));
    for (const LinearSizes& s : {LinearSizes{32, 512, 14},
                                 {130, 64, 72},
                                 {128, 40, 32},
                                 {65, 16, 200},
                                 {64, 6, 8},
                                 {550, 24, 16},
                                 {529, 3, 5}})
      for (std::size_t offset : {0, 1, 4}) {
        if (watched(device()) && (offset == 1) != (s.rows % 2 == 1)) continue;
        SCOPED_TRACE(std::to_string(s.rows) + "x" + std::to_string(s.in) + "x" + std::to_string(s.out) + " offset " +
                     std::to_string(offset));
        const LinearLayer<T> layer(random, device(), s, Kind::normal, offset);
        check_forward(layer, true, comparisons);
        check_backward(layer, comparisons);
      }
  });
}

// Few rows and columns over a long depth, in y and in d_x.
TEST_P(Linear, DividedDepth) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("linear divided");
    LinearComparisons comparisons(label<T>("divided, "));
    for (const LinearSizes& s : {LinearSizes{24, 1024, 14}, {33, 14, 1000}, {3, 259, 65}, {70, 520, 40}}) {
      SCOPED_TRACE(std::to_string(s.rows) + "x" + std::to_string(s.in) + "x" + std::to_string(s.out));
      const LinearLayer<T> layer(random, device(), s);
      check_forward(layer, true, comparisons);
      check_backward(layer, comparisons);
    }
  });
}

// A result of a divided depth is the sum of the products of the slices, in their order, and then the bias.
TEST(LinearSlices, AreAddedInTheirOrder) {
  const Device device = emulated_device(1);
  Random random("linear shares");
  const LinearSizes s{5, 400, 7};
  constexpr int slice = 144;  // three slices of 9 steps of 16 floats at most
  const LinearLayer<float> layer(random, device, s);
  EXPECT_EQ(workspace_bytes(layer.forward(true), device), 3u * 5 * 8 * sizeof(float));
  execute_with_workspace(layer.forward(true), device);
  const std::vector<float> x = layer.x.host(), weight = layer.weight.host(), bias = layer.bias.host();
  std::vector<float> expected(static_cast<std::size_t>(s.rows) * s.out, 0.0f);
  for (int begin = 0; begin < s.in; begin += slice) {
    const int depth = std::min(slice, s.in - begin);
    const auto columns = [&](const std::vector<float>& values, int rows) {
      std::vector<float> result;
      for (int row = 0; row < rows; ++row)
        result.insert(result.end(), values.begin() + row * s.in + begin, values.begin() + row * s.in + begin + depth);
      return DeviceBuffer<float>(device, result);
    };
    const DeviceBuffer<float> of_x = columns(x, s.rows), of_weight = columns(weight, s.out), y(device, expected);
    const LinearForward<float> product{of_x.data(), of_weight.data(), nullptr, y.data(), s.rows, depth, s.out};
    EXPECT_EQ(workspace_bytes(product, device), 0u);
    execute_on(product, device);
    const std::vector<float> sums = y.host();
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += sums[i];
  }
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += bias[i % bias.size()];
  EXPECT_TRUE(same_bits(layer.y.host(), expected));
}

// Enough rows and columns for blocks of the largest tiles.
TEST_P(Linear, LargeProducts) {
  if (watched(device())) GTEST_SKIP() << "the same kernels in smaller products above, but for their size";
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("linear large");
    LinearComparisons comparisons(label<T>("large, "));
    check_forward(LinearLayer<T>(random, device(), {2049, 8, 1028}), true, comparisons);
    check_backward(LinearLayer<T>(random, device(), {2049, 1028, 8}), comparisons);
  });
}

TEST_P(Linear, OnlyTheWantedGradientsAreWritten) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("linear wanted");
    for (int rows : {33, 513}) {
      const LinearLayer<T> layer(random, device(), {rows, 31, 7});
      execute_with_workspace(layer.backward(), device());
      const auto d_x = layer.d_x.host();
      const auto d_weight = layer.d_weight.host(), d_bias = layer.d_bias.host();
      const std::vector<float> unset(31 * 7, 5.0f);
      const DeviceBuffer<float> other_weight(device(), unset), other_bias(device(), std::vector<float>(7, 5.0f));
      const DeviceBuffer<T> other_x(device(), layer.d_x.host());

      LinearBackward<T> arguments = layer.backward();
      arguments.d_x = nullptr, arguments.d_bias = nullptr, arguments.d_weight = other_weight.data();
      execute_with_workspace(arguments, device());
      EXPECT_TRUE(same_bits(other_weight.host(), d_weight));
      arguments.d_weight = nullptr, arguments.d_bias = other_bias.data();
      execute_with_workspace(arguments, device());
      EXPECT_TRUE(same_bits(other_bias.host(), d_bias));
      arguments.d_bias = nullptr, arguments.d_x = other_x.data();
      EXPECT_EQ(workspace_bytes(arguments, device()), 0u);
      execute_with_workspace(arguments, device());
      EXPECT_TRUE(same_bits(other_x.host(), d_x));
    }
  });
}

TEST_P(Linear, TheSameBitsInAnyOrder) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("linear bits");
    const LinearLayer<T> layer(random, device(), {529, 27, 61});
    std::vector<std::vector<float>> first;
    std::vector<std::vector<T>> first_maps;
    for (const Device& variant : five_variants(device())) {
      execute_with_workspace(layer.forward(true), variant);
      execute_with_workspace(layer.backward(), variant);
      const std::vector maps{layer.y.host(), layer.d_x.host()};
      const std::vector now{layer.d_weight.host(), layer.d_bias.host()};
      if (first.empty()) first = now, first_maps = maps;
      for (std::size_t i = 0; i < maps.size(); ++i) EXPECT_TRUE(same_bits(maps[i], first_maps[i])) << i;
      for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(same_bits(now[i], first[i])) << i;
    }
  });
}

// A row that is no number spoils its own result, and the gradients of all weights of its features.
TEST_P(Linear, NotANumberStaysInItsRowAndColumn) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("linear nan");
    const LinearSizes s{70, 9, 5};
    std::vector<float> values = random.values(70 * 9);
    values[65 * 9 + 4] = std::numeric_limits<float>::quiet_NaN();
    const LinearLayer<T> layer(random, device(), s, 0, values);
    execute_with_workspace(layer.forward(true), device());
    execute_with_workspace(layer.backward(), device());
    const Doubles y = layer.read(layer.y), d_weight = to_double(layer.d_weight.host());
    for (std::size_t i = 0; i < y.size(); ++i) EXPECT_EQ(std::isnan(y[i]), i / 5 == 65) << i;
    for (std::size_t i = 0; i < d_weight.size(); ++i) EXPECT_EQ(std::isnan(d_weight[i]), i % 9 == 4) << i;
  });
}

// Each operand crosses memory once for every tile of the other.
TEST_P(Linear, MovesWhatTheTilesSay) {
  if (device().kind != DeviceKind::emulated || !emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("linear counters");
    for (const LinearSizes& s : {LinearSizes{128, 64, 128}, {64, 16, 32}, {70, 9, 5}}) {
      const LinearLayer<T> layer(random, device(), s);
      emulator::start_counting();
      execute_with_workspace(layer.forward(false), device());
      const emulator::Counters forward = emulator::stop_counting();
      emulator::start_counting();
      execute_with_workspace(layer.backward(), device());
      EXPECT_EQ(forward.bank_conflicts + emulator::stop_counting().bank_conflicts, 0);
      if (s.rows != 128) continue;
      const double model = 2.0 * s.rows * s.in + 2.0 * s.out * s.in + s.rows * s.out;
      const double ratio = static_cast<double>(forward.sectors()) * 32 / sizeof(T) / model;
      std::printf("[ counters ] %s: sectors / tile model %.3f\n", name_of_storage<T>().c_str(), ratio);
      EXPECT_NEAR(ratio, 1, 0.01);
    }
  });
}

INSTANTIATE_ON_ALL_DEVICES(Linear);

}  // namespace
}  // namespace preceptor::test
