// A convolution with random maps, weights and parameters on any device, and its comparison with the reference.
#pragma once

#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/convolution/convolution.h"
#include "kernels/convolution/reference.h"
#include "kernels/device/tf32.h"
#include "tests/support/compare.h"
#include "tests/support/feature_maps.h"
#include "tests/support/variants.h"

namespace preceptor::test {

using kernels::reference::ConvolutionSizes;
using Doubles = std::vector<double>;

inline std::string text_of(const ConvolutionSizes& s) {
  return MapShape{s.images, s.in, s.height, s.width}.text() + " to " + std::to_string(s.out) + ", " +
         std::to_string(s.geometry.kernel_height) + "x" + std::to_string(s.geometry.kernel_width) + "/" +
         std::to_string(s.geometry.stride) + ", padding " + std::to_string(s.geometry.padding);
}

// The operations before and after the products.
struct Around {
  bool bias = false, residual = false, relu = false, affine = false, affine_relu = false, statistics = false;
  bool direct = false;
};

// Channels of wider maps beside those of x and y; cpu: blocks.
struct Beside {
  int before = 0, after = 0;
};

inline MapLayout layout_of(const kernels::Device& device, int channels, const Beside& beside) {
  if (device.kind != kernels::DeviceKind::cpu) return channels_last(channels, beside.before, beside.after);
  return channel_blocked(channels, device.channel_block(channels), beside.before + beside.after > 0);
}

inline Doubles magnitudes(const Doubles& values) {
  Doubles result(values);
  for (double& value : result) value = std::abs(value);
  return result;
}

// Plain order to the device's and back.
template <class T>
std::vector<T> in_order(const kernels::WeightOrder& order, const std::vector<T>& plain) {
  std::vector<T> result(plain.size());
  std::size_t at = 0;
  for (int out = 0; out < order.out_channels; ++out)
    for (int in = 0; in < order.in_channels; ++in)
      for (int y = 0; y < order.height; ++y)
        for (int x = 0; x < order.width; ++x) result[order.offset(out, in, y, x)] = plain[at++];
  return result;
}
inline Doubles in_plain_order(const kernels::WeightOrder& order, const std::vector<float>& values) {
  Doubles result;
  for (int out = 0; out < order.out_channels; ++out)
    for (int in = 0; in < order.in_channels; ++in)
      for (int y = 0; y < order.height; ++y)
        for (int x = 0; x < order.width; ++x)
          result.push_back(static_cast<double>(values[order.offset(out, in, y, x)]));
  return result;
}

// Operand: what is multiplied, float, bfloat16 or tf32, which is stored as float.
template <class Operand>
struct ConvolutionLayer {
  static constexpr bool is_tf32 = std::is_same_v<Operand, kernels::tf32>;
  using T = std::conditional_t<is_tf32, float, Operand>;
  using Floats = DeviceBuffer<float>;

  ConvolutionLayer(Random& random, const kernels::Device& on, const ConvolutionSizes& s, const Around& with = {},
                   const Beside& beside = {})
      : ConvolutionLayer(random, on, s, with, beside, random.values(s.x_elements())) {}
  ConvolutionLayer(Random& random, const kernels::Device& on, const ConvolutionSizes& s, const Around& with,
                   const Beside& beside, const std::vector<float>& values)
      : device(on),
        sizes(s),
        around(with),
        order(kernels::device_weight_order(on, s.out, s.in, s.geometry.kernel_height, s.geometry.kernel_width)),
        plain_weight(stored<T>(random.values(s.weight_elements()))),
        x(on, {s.images, s.in, s.height, s.width}, layout_of(on, s.in, beside)),
        d_x(on, {s.images, s.in, s.height, s.width}, layout_of(on, s.in, beside)),
        residual(on, out_shape(), layout_of(on, s.out, beside)),
        y(on, out_shape(), layout_of(on, s.out, beside)),
        d_y(on, out_shape(), layout_of(on, s.out, beside)),
        weight(on, in_order(order, plain_weight)),
        bias(on, random.values(s.out)),
        mean(on, random.values(s.in)),
        scale(on, random.values(s.in)),
        offset(on, random.values(s.in)),
        statistics(on, std::vector<kernels::ChannelStatistics>(s.out, {std::nan(""), std::nan("")})),
        d_weight(on, unset(s.weight_elements())),
        d_bias(on, unset(s.out)) {
    x.set(values);
    residual.set(random.values(s.y_elements()));
    d_y.set(random.values(s.y_elements()));
  }

  kernels::ChannelAffine input() const {
    if (!around.affine) return {};
    return {mean.data(), scale.data(), offset.data(), around.affine_relu};
  }
  kernels::ConvolutionForward<T> forward() const {
    kernels::ConvolutionForward<T> a{
        x.map(), weight.data(), around.bias ? bias.data() : nullptr, {}, y.map(), sizes.geometry, around.relu, input()};
    a.tf32 = is_tf32;
    a.direct = around.direct;
    if (around.residual) a.residual = residual.map();
    if (has_statistics()) a.statistics = statistics.data();
    return a;
  }
  kernels::ConvolutionDataGradient<T> data_gradient() const {
    return {.d_y = d_y.map(),
            .weight = weight.data(),
            .d_x = d_x.map(),
            .geometry = sizes.geometry,
            .tf32 = is_tf32,
            .direct = around.direct};
  }
  kernels::ConvolutionWeightGradient<T> weight_gradient() const {
    return {.x = x.map(),
            .d_y = d_y.map(),
            .d_weight = d_weight.data(),
            .d_bias = around.bias ? d_bias.data() : nullptr,
            .geometry = sizes.geometry,
            .input = input(),
            .tf32 = is_tf32,
            .direct = around.direct};
  }
  template <class Arguments>
  void run(const Arguments& arguments) const {
    execute_with_workspace(arguments, device);
  }
  bool has_statistics() const { return around.statistics && kernels::fuses_batch_norms(device); }
  bool neighbors_untouched() const { return y.neighbors_untouched() && d_x.neighbors_untouched(); }

  // Values as operands of products.
  static Doubles operands(Doubles values) {
    for (double& value : values) value = rounded(static_cast<float>(value));
    return values;
  }
  // The convolved values: x after its channel's affine map, as an operand; and the magnitude of what it was
  // summed from. Operands of fewer bits than a float's are rounded from what the kernels compute in float: a difference
  // and a fused operation.
  Doubles transformed(bool magnitude) const {
    const Doubles x_values = x.plain();
    if (!around.affine) return magnitude ? magnitudes(operands(x_values)) : operands(x_values);
    Doubles values = x_values;
    const std::vector<float> means = mean.host(), scales = scale.host(), offsets = offset.host();
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t c = i / static_cast<std::size_t>(sizes.height * sizes.width) % scales.size();
      const double scaled = (values[i] - static_cast<double>(means[c])) * static_cast<double>(scales[c]);
      const double moved = static_cast<double>(offsets[c]);
      values[i] = magnitude ? std::abs(scaled) + std::abs(moved) : scaled + moved;
      if (magnitude) continue;
      if constexpr (!std::is_same_v<Operand, float>)
        values[i] = rounded(std::fma(static_cast<float>(x_values[i]) - means[c], scales[c], offsets[c]));
      if (around.affine_relu && values[i] < 0) values[i] = 0;
    }
    return values;
  }

  // Products of 3x3 stride-1 layers may run as Winograd F(4x4, 3x3) on the cpu. With all inputs 1 in magnitude its
  // transforms add up terms 16 times as large as the direct sum in each direction (rows of |A^T| (|G| |w|) (|B^T| |x|),
  // Lavin and Gray 2016), so rounding errors are up to 16 * 16 times those of the direct sum.
  double amplification() const {
    const kernels::ConvolutionGeometry& g = sizes.geometry;
    const bool may_be_winograd = !around.direct && device.kind == kernels::DeviceKind::cpu && g.kernel_height == 3 &&
                                 g.kernel_width == 3 && g.stride == 1;
    return may_be_winograd ? 256 : 1;
  }

  kernels::Device device;
  ConvolutionSizes sizes;
  Around around;
  kernels::WeightOrder order;
  std::vector<T> plain_weight;
  DeviceMap<T> x, d_x, residual, y, d_y;
  DeviceBuffer<T> weight;
  Floats bias, mean, scale, offset;
  DeviceBuffer<kernels::ChannelStatistics> statistics;
  Floats d_weight, d_bias;

 private:
  static double rounded(float value) { return static_cast<double>(static_cast<float>(static_cast<Operand>(value))); }
  MapShape out_shape() const { return {sizes.images, sizes.out, sizes.out_height(), sizes.out_width()}; }
  static std::vector<float> unset(std::size_t count) { return std::vector<float>(count, std::nanf("")); }
};

// Roundings of a term: three of x after its affine map if it is a float, one of the product where it is not fused,
// and of what is added to the sum: bias and residual, and 3 more for how partial sums are merged.
inline constexpr double roundings = 9;

// `n` products of the layer's operands whose magnitudes are `magnitude`, stored in Stored.
template <class Stored, class Operand>
void check_sums(Comparison& comparison, const ConvolutionLayer<Operand>& layer, const Doubles& actual,
                const Doubles& expected, const Doubles& magnitude, double n, double amplification) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double error = allowed_of_products<Operand>(layer.device, n, magnitude[i], roundings);
    comparison.check(actual[i], expected[i], with_storage<Stored>(error * amplification, expected[i]), i);
  }
}

struct Comparisons {
  Comparison forward, data_gradient, weight_gradient, statistics;
  explicit Comparisons(const std::string& label)
      : forward(label + ", y"),
        data_gradient(label + ", d_x"),
        weight_gradient(label + ", d_weight"),
        statistics(label + ", moments") {}
};

// The statistics are those of y as it is stored. A mean that is `off` by rounding adds 2 off |distance| + off^2 to each
// squared distance from it.
template <class Operand>
void check_statistics(const ConvolutionLayer<Operand>& layer, Comparison& comparison) {
  const Doubles y = layer.y.plain();
  const std::vector<kernels::ChannelStatistics> statistics = layer.statistics.host();
  const std::size_t channels = statistics.size(), plane = y.size() / channels / layer.sizes.images;
  const double count = static_cast<double>(y.size()) / static_cast<double>(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const auto sum_of = [&](const auto& term) {
      double sum = 0;
      for (std::size_t image = 0; image < static_cast<std::size_t>(layer.sizes.images); ++image)
        for (std::size_t i = 0; i < plane; ++i) sum += term(y[(image * channels + c) * plane + i]);
      return sum;
    };
    const double expected = sum_of([](double value) { return value; }) / count;
    const double off = allowed(count, sum_of([](double value) { return std::abs(value); }) / count);
    comparison.check(statistics[c].mean, expected, off, c);
    const double distances = sum_of([&](double value) { return std::abs(value - expected); });
    const double squared = sum_of([&](double value) { return (value - expected) * (value - expected); });
    comparison.check(statistics[c].m2, squared, allowed(count, squared) + 2 * off * distances + count * off * off, c);
  }
}

template <class Operand>
void check_forward(const ConvolutionLayer<Operand>& layer, Comparisons& comparisons) {
  const ConvolutionSizes& s = layer.sizes;
  const Doubles weight = layer.operands(widened(layer.plain_weight)), bias = to_double(layer.bias.host());
  const Doubles residual = layer.residual.plain();
  Doubles expected = kernels::reference::convolution_forward(s, layer.transformed(false), weight);
  Doubles magnitude = kernels::reference::convolution_forward(s, layer.transformed(true), magnitudes(weight));
  const std::size_t plane = static_cast<std::size_t>(s.out_height()) * s.out_width();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double of_bias = layer.around.bias ? bias[i / plane % s.out] : 0;
    const double of_residual = layer.around.residual ? residual[i] : 0;
    expected[i] += of_bias + of_residual;
    magnitude[i] += std::abs(of_bias) + std::abs(of_residual);
    if (layer.around.relu) expected[i] = std::max(expected[i], 0.0);
  }
  layer.run(layer.forward());
  check_sums<typename ConvolutionLayer<Operand>::T>(comparisons.forward, layer, layer.y.plain(), expected, magnitude,
                                                    static_cast<double>(weight.size()) / s.out, layer.amplification());
  if (layer.has_statistics()) check_statistics(layer, comparisons.statistics);
}

template <class Operand>
void check_gradients(const ConvolutionLayer<Operand>& layer, Comparisons& comparisons) {
  using namespace kernels::reference;
  const ConvolutionSizes& s = layer.sizes;
  const Doubles weight = layer.operands(widened(layer.plain_weight)), d_y = layer.operands(layer.d_y.plain());
  const double products = static_cast<double>(s.images) * s.out_height() * s.out_width();
  layer.run(layer.data_gradient());
  check_sums<typename ConvolutionLayer<Operand>::T>(comparisons.data_gradient, layer, layer.d_x.plain(),
                                                    convolution_data_gradient(s, weight, d_y),
                                                    convolution_data_gradient(s, magnitudes(weight), magnitudes(d_y)),
                                                    static_cast<double>(weight.size()) / s.in, layer.amplification());
  layer.run(layer.weight_gradient());
  check_sums<float>(comparisons.weight_gradient, layer, in_plain_order(layer.order, layer.d_weight.host()),
                    convolution_weight_gradient(s, layer.transformed(false), d_y),
                    convolution_weight_gradient(s, layer.transformed(true), magnitudes(d_y)), products,
                    layer.amplification());
  if (layer.around.bias)
    check_sums<float>(comparisons.weight_gradient, layer, to_double(layer.d_bias.host()),
                      convolution_bias_gradient(s, d_y), convolution_bias_gradient(s, magnitudes(d_y)), products, 1);
}

template <class Operand>
void check_layer(Random& random, const kernels::Device& device, const ConvolutionSizes& sizes, Comparisons& comparisons,
                 const Around& around = {}, const Beside& beside = {}) {
  SCOPED_TRACE(text_of(sizes) + ", " + name_of_operand<Operand>());
  const ConvolutionLayer<Operand> layer(random, device, sizes, around, beside);
  check_forward(layer, comparisons);
  check_gradients(layer, comparisons);
  EXPECT_TRUE(layer.neighbors_untouched());
}

}  // namespace preceptor::test
