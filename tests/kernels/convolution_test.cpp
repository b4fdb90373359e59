// Convolution against its reference: every direction, block layout, post-operation and algorithm.
#include "kernels/convolution/convolution.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <random>

#include "kernels/convolution/reference.h"
#include "kernels/device/memory.h"

namespace preceptor::kernels {
namespace {

using reference::ConvolutionSizes;
using Values = std::vector<double>;

std::ostream& print(std::ostream& out, const ConvolutionSizes& s) {
  return out << s.images << "x" << s.in << "x" << s.height << "x" << s.width << " -> " << s.out << ", kernel "
             << s.geometry.kernel_height << "x" << s.geometry.kernel_width << ", stride " << s.geometry.stride
             << ", padding " << s.geometry.padding;
}

Values random_values(std::size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  Values values(count);
  for (double& value : values) value = uniform(generator);
  return values;
}

Values absolute(const Values& values) {
  Values result(values);
  for (double& value : result) value = std::abs(value);
  return result;
}

// Device memory with a guard of untouched values behind it.
class Array {
 public:
  Array(Pool& pool, std::size_t count)
      : pool_(pool), count_(count), data_(static_cast<float*>(pool.allocate(count * sizeof(float)))) {
    std::fill_n(data_, count, std::numeric_limits<float>::quiet_NaN());
  }
  ~Array() { pool_.release(data_); }
  Array(const Array&) = delete;
  float* data() { return data_; }
  std::size_t count() const { return count_; }

 private:
  Pool& pool_;
  std::size_t count_;
  float* data_;
};

class ConvolutionTest : public testing::Test {
 protected:
  // Products of 3x3 stride-1 layers may run as Winograd F(4x4, 3x3). With all inputs 1 in magnitude its transforms add
  // up terms 16 times as large as the direct sum in each direction (rows of |A^T| (|G| |w|) (|B^T| |x|), Lavin and Gray
  // 2016), so rounding errors are up to 16 * 16 times those of the direct sum.
  static double amplification(const ConvolutionSizes& s) {
    const bool may_be_winograd =
        s.geometry.kernel_height == 3 && s.geometry.kernel_width == 3 && s.geometry.stride == 1;
    return may_be_winograd ? 256 : 1;
  }

  FeatureMap<float> map(Array& array, int channels, int height, int width, int images) {
    return {array.data(), images, channels, height, width, device.channel_block(channels), channels};
  }
  static void fill(const FeatureMap<float>& map, const Values& values) {
    std::size_t i = 0;
    for (int n = 0; n < map.images; ++n)
      for (int c = 0; c < map.channels; ++c)
        for (int y = 0; y < map.height; ++y)
          for (int x = 0; x < map.width; ++x) map.data[map.offset(n, c, y, x)] = static_cast<float>(values[i++]);
  }
  static Values read(const FeatureMap<float>& map) {
    Values values;
    for (int n = 0; n < map.images; ++n)
      for (int c = 0; c < map.channels; ++c)
        for (int y = 0; y < map.height; ++y)
          for (int x = 0; x < map.width; ++x) values.push_back(map.data[map.offset(n, c, y, x)]);
    return values;
  }
  template <class Arguments>
  void execute(Arguments arguments) {
    const std::size_t bytes = workspace_bytes(arguments, device);
    void* workspace = pool.allocate(bytes);
    arguments.workspace = workspace;
    run_on(Cpu{}, arguments);
    pool.release(workspace);
  }
  // allowed = epsilon * (8 + sqrt(terms)) * sum of |terms| * amplification
  void compare(const Values& got, const Values& expected, const Values& magnitude, double terms,
               const ConvolutionSizes& s) {
    ASSERT_EQ(got.size(), expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double allowed =
          std::numeric_limits<float>::epsilon() * (8 + std::sqrt(terms)) * magnitude[i] * amplification(s) + 1e-30;
      const double error = std::abs(got[i] - expected[i]);
      ASSERT_LE(error, allowed) << "at " << i << " of " << got.size() << ", expected " << expected[i] << ", got "
                                << got[i];
      worst = std::max(worst, error / allowed);
    }
  }

  void check(const ConvolutionSizes& s, bool bias, bool residual, bool relu) {
    std::ostringstream name;
    print(name, s) << (bias ? ", bias" : "") << (residual ? ", residual" : "") << (relu ? ", relu" : "");
    SCOPED_TRACE(name.str());
    const Values x = random_values(s.x_elements(), 1), w = random_values(s.weight_elements(), 2);
    const Values d_y = random_values(s.y_elements(), 3), b = random_values(static_cast<std::size_t>(s.out), 4);
    const Values r = random_values(s.y_elements(), 5);
    const WeightOrder order =
        device_weight_order(device, s.out, s.in, s.geometry.kernel_height, s.geometry.kernel_width);
    WeightOrder plain = order;
    plain.out_block = plain.in_block = 1;

    Array plain_weight(pool, w.size()), weight(pool, w.size()), d_weight(pool, w.size());
    Array x_data(pool, x.size()), y_data(pool, d_y.size()), d_y_data(pool, d_y.size()), d_x_data(pool, x.size());
    Array residual_data(pool, r.size()), bias_data(pool, b.size()), d_bias(pool, b.size());
    std::copy(w.begin(), w.end(), plain_weight.data());
    run_on(Cpu{}, ReorderWeights{plain_weight.data(), weight.data(), plain, order});
    std::copy(b.begin(), b.end(), bias_data.data());
    const auto x_map = map(x_data, s.in, s.height, s.width, s.images);
    const auto d_x_map = map(d_x_data, s.in, s.height, s.width, s.images);
    const auto y_map = map(y_data, s.out, s.out_height(), s.out_width(), s.images);
    const auto d_y_map = map(d_y_data, s.out, s.out_height(), s.out_width(), s.images);
    const auto residual_map = map(residual_data, s.out, s.out_height(), s.out_width(), s.images);
    fill(x_map, x);
    fill(d_y_map, d_y);
    fill(residual_map, r);

    const double taps = static_cast<double>(s.weight_elements()) / s.out;
    Values expected = reference::convolution_forward(s, x, w);
    Values magnitude = reference::convolution_forward(s, absolute(x), absolute(w));
    const std::size_t plane = static_cast<std::size_t>(s.out_height()) * s.out_width();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double extra = (bias ? b[i / plane % s.out] : 0) + (residual ? r[i] : 0);
      expected[i] += extra;
      magnitude[i] += std::abs(extra);
      if (relu) expected[i] = std::max(expected[i], 0.0);
    }
    execute(ConvolutionForward{x_map, weight.data(), bias ? bias_data.data() : nullptr,
                               residual ? residual_map : FeatureMap<float>{}, y_map, s.geometry, relu, nullptr});
    compare(read(y_map), expected, magnitude, taps, s);

    execute(ConvolutionDataGradient{d_y_map, weight.data(), d_x_map, s.geometry, nullptr});
    compare(read(d_x_map), reference::convolution_data_gradient(s, w, d_y),
            reference::convolution_data_gradient(s, absolute(w), absolute(d_y)), taps * s.out / s.in, s);

    execute(ConvolutionWeightGradient{x_map, d_y_map, d_weight.data(), bias ? d_bias.data() : nullptr, s.geometry,
                                      nullptr});
    run_on(Cpu{}, ReorderWeights{d_weight.data(), plain_weight.data(), order, plain});
    const double products = static_cast<double>(s.images) * static_cast<double>(plane);
    compare(Values(plain_weight.data(), plain_weight.data() + w.size()),
            reference::convolution_weight_gradient(s, x, d_y),
            reference::convolution_weight_gradient(s, absolute(x), absolute(d_y)), products, s);
    if (bias)
      compare(Values(d_bias.data(), d_bias.data() + b.size()), reference::convolution_bias_gradient(s, d_y),
              reference::convolution_bias_gradient(s, absolute(d_y)), products, s);
  }

  void TearDown() override { std::printf("largest error / allowed: %.3g\n", worst); }

  Device device = cpu_device(2);
  Pool pool{device, "test", std::size_t{1} << 30};
  double worst = 0;
};

TEST_F(ConvolutionTest, LayersOfResidualNetworks) {
  check({2, 3, 64, 21, 17, {7, 7, 2, 3}}, false, false, false);
  check({2, 1, 16, 12, 12, {3, 3, 1, 1}}, false, false, false);
  check({2, 64, 64, 9, 11, {3, 3, 1, 1}}, false, false, false);
  check({2, 32, 64, 10, 10, {3, 3, 2, 1}}, false, false, false);
  check({2, 64, 32, 8, 8, {1, 1, 1, 0}}, false, false, false);
  check({2, 32, 64, 9, 9, {1, 1, 2, 0}}, false, false, false);
}

TEST_F(ConvolutionTest, MapsOfAFewPixels) {
  for (int size : {1, 2, 3, 4, 5}) {
    check({3, 32, 48, size, size, {3, 3, 1, 1}}, false, false, false);
    check({3, 16, 32, size, size, {3, 3, 2, 1}}, false, false, false);
    check({3, 32, 16, size, size, {1, 1, 2, 0}}, false, false, false);
  }
  check({5, 16, 16, 1, 7, {3, 3, 1, 1}}, false, false, false);
}

TEST_F(ConvolutionTest, BiasResidualAndRelu) {
  for (bool bias : {false, true})
    for (bool residual : {false, true})
      for (bool relu : {false, true}) {
        check({2, 32, 32, 7, 7, {3, 3, 1, 1}}, bias, residual, relu);
        check({2, 16, 32, 6, 5, {1, 1, 1, 0}}, bias, residual, relu);
      }
}

TEST_F(ConvolutionTest, ChannelsThatAreNoMultipleOfABlock) {
  check({2, 3, 5, 9, 8, {3, 3, 1, 1}}, true, false, true);
  check({2, 24, 40, 6, 6, {3, 3, 1, 1}}, false, false, false);
  check({2, 24, 32, 6, 6, {3, 3, 2, 1}}, false, false, false);
  check({2, 32, 24, 6, 6, {1, 1, 1, 0}}, false, false, false);
  check({2, 16, 10, 6, 6, {1, 1, 1, 0}}, true, false, false);
  check({1, 7, 16, 6, 6, {5, 5, 1, 2}}, false, false, false);
}

TEST_F(ConvolutionTest, RandomShapes) {
  const char* text = std::getenv("PRECEPTOR_SEED");
  const unsigned seed = text ? static_cast<unsigned>(std::strtoul(text, nullptr, 10)) : 20u;
  std::printf("seed %u\n", seed);
  std::mt19937 generator(seed);
  const auto pick = [&](std::initializer_list<int> choices) {
    return *(choices.begin() + generator() % choices.size());
  };
  for (int round = 0; round < 40; ++round) {
    const int kernel = pick({1, 2, 3, 5, 7}), padding = static_cast<int>(generator() % static_cast<unsigned>(kernel));
    const ConvolutionSizes sizes{pick({1, 2, 3}),          pick({1, 3, 8, 13, 16, 32}),
                                 pick({1, 8, 11, 16, 32}), pick({7, 8, 9, 13}),
                                 pick({7, 8, 11, 15}),     {kernel, kernel, pick({1, 2, 3}), padding}};
    check(sizes, pick({0, 1}) == 1, pick({0, 1}) == 1, pick({0, 1}) == 1);
  }
}

TEST_F(ConvolutionTest, ResidualMayShareMemoryWithTheResult) {
  const ConvolutionSizes s{2, 32, 32, 6, 6, {3, 3, 1, 1}};
  const Values x = random_values(s.x_elements(), 1), r = random_values(s.y_elements(), 2);
  const Values w = random_values(s.weight_elements(), 3);
  Array x_data(pool, x.size()), separate(pool, r.size()), shared(pool, r.size()), residual(pool, r.size()),
      weight(pool, w.size());
  const auto x_map = map(x_data, 32, 6, 6, 2), separate_map = map(separate, 32, 6, 6, 2);
  const auto shared_map = map(shared, 32, 6, 6, 2), residual_map = map(residual, 32, 6, 6, 2);
  std::copy(w.begin(), w.end(), weight.data());
  fill(x_map, x);
  fill(residual_map, r);
  fill(shared_map, r);
  execute(ConvolutionForward{x_map, weight.data(), nullptr, residual_map, separate_map, s.geometry, true, nullptr});
  execute(ConvolutionForward{x_map, weight.data(), nullptr, shared_map, shared_map, s.geometry, true, nullptr});
  EXPECT_EQ(read(separate_map), read(shared_map));
}

TEST_F(ConvolutionTest, ReorderingWeightsThereAndBackIsExact) {
  for (const auto& [out, in] : {std::pair{32, 16}, {16, 3}, {24, 32}, {5, 7}}) {
    const WeightOrder order = device_weight_order(device, out, in, 3, 5);
    WeightOrder plain = order;
    plain.out_block = plain.in_block = 1;
    const Values values = random_values(order.elements(), 9);
    Array from(pool, values.size()), ordered(pool, values.size()), back(pool, values.size());
    std::copy(values.begin(), values.end(), from.data());
    run_on(Cpu{}, ReorderWeights{from.data(), ordered.data(), plain, order});
    run_on(Cpu{}, ReorderWeights{ordered.data(), back.data(), order, plain});
    EXPECT_EQ(Values(back.data(), back.data() + values.size()), values) << out << " x " << in;
    EXPECT_EQ(ordered.data()[order.offset(out - 1, in - 1, 2, 4)], from.data()[plain.offset(out - 1, in - 1, 2, 4)]);
  }
}

TEST(ConvolutionCost, CountsTwoOperationsPerMultiplyAdd) {
  ConvolutionForward arguments{};
  arguments.x = {nullptr, 2, 3, 8, 8, 1, 3};
  arguments.y = {nullptr, 2, 16, 4, 4, 16, 16};
  arguments.geometry = {3, 3, 2, 1};
  EXPECT_EQ(cost(arguments).operations, 2.0 * 2 * 16 * 4 * 4 * 3 * 9);
  EXPECT_EQ(cost(arguments).bytes, 4.0 * (2 * 3 * 64 + 2 * 16 * 16 + 16 * 27));
}

}  // namespace
}  // namespace preceptor::kernels
