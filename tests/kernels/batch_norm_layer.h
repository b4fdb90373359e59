// A batch norm layer with random maps and parameters on any device, its comparison with the reference, and layers of
// all kinds.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/batch_norm/reference.h"
#include "tests/support/compare.h"
#include "tests/support/feature_maps.h"
#include "tests/support/variants.h"

namespace preceptor::test {

using kernels::reference::BatchNormSizes;
using kernels::reference::BatchStatistics;

inline constexpr float epsilon = 1e-5f;
inline constexpr double wide_epsilon = static_cast<double>(epsilon);

struct LayerShape {
  MapShape shape;
  MapLayout layout;

  std::string text() const {
    return shape.text() + " block " + std::to_string(layout.block) + " first " + std::to_string(layout.first_channel) +
           " pitch " + std::to_string(layout.channel_stride);
  }
};

// cpu: a random shape in each of its blocks. Others: channels around the widths of tiles and groups, a range of a wider
// map that may begin anywhere; so many rows that several blocks share a tile, or a few.
inline LayerShape random_layer_shape(Random& random, const kernels::Device& device, int number) {
  if (device.kind == kernels::DeviceKind::cpu) {
    const int block = all_blocks[number % 3];
    const MapShape shape = random_shape(random, block);
    return {shape, channel_blocked(shape.channels, block, random.coin())};
  }
  constexpr int channels[] = {1, 3, 5, 8, 16, 64, 129, 512};
  constexpr int neighbors[] = {0, 0, 8, 1, 3, 4};
  MapShape shape{1, channels[number % 8], 1, 1};
  const int most = watched(device) ? 12000 : 40000;
  if (random.integer(0, 7) > 0) do {
      shape.images = random.coin() ? random.integer(1, 4) : random.awkward_size(33);
      shape.height = random.awkward_size(129);
      shape.width = random.awkward_size(129);
    } while (shape.elements() > static_cast<std::size_t>(most) ||
             (random.coin() && shape.elements() < static_cast<std::size_t>(most) / 4));
  return {shape, channels_last(shape.channels, neighbors[random.integer(0, 5)], neighbors[random.integer(0, 5)])};
}

// The maps and parameters of one layer, and launches on them.
template <class T>
struct Layer {
  using Floats = DeviceBuffer<float>;

  Layer(Random& random, const kernels::Device& on, const LayerShape& layer, const std::vector<float>& values)
      : device(on),
        shape(layer.shape),
        sizes{shape.images, shape.channels, shape.plane()},
        x(on, shape, layer.layout),
        residual(on, shape, layer.layout),
        y(on, shape, layer.layout),
        d_y(on, shape, layer.layout),
        d_x(on, shape, layer.layout),
        d_residual(on, shape, layer.layout),
        gamma(on, random.values(shape.channels)),
        beta(on, random.values(shape.channels)),
        running_mean(on, random.values(shape.channels)),
        running_variance(on, random_variance(random)),
        mean(on, unset()),
        inverse(on, unset()),
        scale(on, unset()),
        offset(on, unset()),
        rounding_errors(on, std::vector<float>(2 * unset().size(), std::bit_cast<float>(guard))),
        d_gamma(on, unset()),
        d_beta(on, unset()) {
    x.set(values);
    residual.set(random.values(shape.elements()));
    d_y.set(random.values(shape.elements()));
  }

  kernels::BatchNormForward<T> forward(bool with_residual, bool relu) const {
    return {.x = x.map(),
            .statistics = nullptr,
            .residual = with_residual ? residual.map() : kernels::FeatureMap<T>{},
            .y = y.map(),
            .gamma = gamma.data(),
            .beta = beta.data(),
            .running_mean = running_mean.data(),
            .running_variance = running_variance.data(),
            .mean = mean.data(),
            .rstd = inverse.data(),
            .scale = scale.data(),
            .offset = offset.data(),
            .rounding_errors = rounding_errors.data(),
            .epsilon = epsilon,
            .momentum = 0.1f,
            .relu = relu,
            .workspace = nullptr};
  }
  kernels::BatchNormInference<T> inference(bool with_residual, bool relu) const {
    const auto f = forward(with_residual, relu);
    return {f.x, f.residual, f.y, f.gamma, f.beta, f.running_mean, f.running_variance, nullptr, f.epsilon, f.relu};
  }
  // y is given unless recompute.
  kernels::BatchNormBackward<T> backward(bool with_residual, bool relu, bool batch_statistics,
                                         bool recompute = false) const {
    return {.x = x.map(),
            .y = relu && !recompute ? y.map() : kernels::FeatureMap<T>{},
            .d_y = d_y.map(),
            .d_x_so_far = {},
            .d_x = d_x.map(),
            .d_residual = with_residual ? d_residual.map() : kernels::FeatureMap<T>{},
            .mean = mean.data(),
            .rstd = inverse.data(),
            .scale = scale.data(),
            .offset = offset.data(),
            .rounding_errors = batch_statistics ? rounding_errors.data() : nullptr,
            .d_gamma = d_gamma.data(),
            .d_beta = d_beta.data(),
            .relu = relu,
            .batch_statistics = batch_statistics,
            .workspace = nullptr};
  }
  template <class Arguments>
  void run(const Arguments& arguments) const {
    execute_with_workspace(arguments, device);
  }
  void run(const kernels::BatchNormInference<T>& arguments) const { execute_on(arguments, device); }

  bool neighbors_untouched() const {
    for (const auto* map : {&x, &residual, &y, &d_y, &d_x, &d_residual})
      if (!map->neighbors_untouched()) return false;
    return true;
  }

  kernels::Device device;
  MapShape shape;
  BatchNormSizes sizes;
  DeviceMap<T> x, residual, y, d_y, d_x, d_residual;
  Floats gamma, beta, running_mean, running_variance, mean, inverse, scale, offset, rounding_errors, d_gamma, d_beta;

 private:
  std::vector<float> unset() const {
    return std::vector<float>(static_cast<std::size_t>(shape.channels), std::bit_cast<float>(guard));
  }
  std::vector<float> random_variance(Random& random) const {
    std::vector<float> result;
    for (float value : random.values(shape.channels)) result.push_back(0.1f + value * value);
    return result;
  }
};

// Sums are taken around a shift at most four deviations from the mean (cpu), or of so few values around one of them
// (others, at most 15 values a thread in these tests) that the squares are at most 16 times their part that counts: a
// variance has 16 times the relative error of a sum, and its root 8 times.
inline constexpr double variance_terms = 16, deviation_terms = 8, mean_terms = 4;

template <class T>
void check_forward(Layer<T>& layer, bool with_residual, bool relu, Comparison& outputs, Comparison& statistics) {
  namespace reference = kernels::reference;
  const BatchStatistics<double> old{to_double(layer.running_mean.host()), to_double(layer.running_variance.host())};
  layer.run(layer.forward(with_residual, relu));
  const auto x = layer.x.plain(), gamma = to_double(layer.gamma.host()), beta = to_double(layer.beta.host());
  const auto residual = with_residual ? layer.residual.plain() : std::vector<double>{};
  const double n = layer.sizes.values_per_channel();
  const auto batch = reference::batch_statistics(layer.sizes, x);
  const auto expected = reference::batch_norm_apply(layer.sizes, x, residual, gamma, beta, batch, wide_epsilon, relu);
  const std::vector<double> actual = layer.y.plain();
  reference::for_each_element(layer.sizes, [&](std::size_t channel, std::size_t at) {
    const double scale = std::abs(gamma[channel]) / std::sqrt(batch.variance[channel] + wide_epsilon);
    const double terms = deviation_terms * scale * std::abs(x[at] - batch.mean[channel]) +
                         mean_terms * std::abs(gamma[channel]) + std::abs(beta[channel]) +
                         (with_residual ? std::abs(residual[at]) : 0);
    outputs.check(actual[at], expected[at], with_storage<T>(allowed(n, terms), expected[at]), at);
  });
  BatchStatistics<double> running = old;
  reference::move_running_statistics(layer.sizes, batch, static_cast<double>(0.1f), running);
  const auto mean = layer.mean.host(), rstd = layer.inverse.host();
  const auto rounding_errors = to_double(layer.rounding_errors.host());
  const auto running_mean = layer.running_mean.host(), running_variance = layer.running_variance.host();
  for (std::size_t c = 0; c < gamma.size(); ++c) {
    const double deviation = std::sqrt(batch.variance[c]);
    const double inverse = 1 / std::sqrt(batch.variance[c] + wide_epsilon);
    // The mean is stored as float, so one rounding of its size comes on top of the sum's error.
    const double mean_error = allowed(n, mean_terms * deviation) + 2 * float_roundoff * std::abs(batch.mean[c]);
    statistics.check(static_cast<double>(mean[c]), batch.mean[c], mean_error, c);
    statistics.check(static_cast<double>(rstd[c]), inverse, allowed(n, deviation_terms * inverse), c);
    // Not more than half of the last bit.
    statistics.check(rounding_errors[c], 0, float_roundoff * std::abs(static_cast<double>(mean[c])), c);
    statistics.check(rounding_errors[gamma.size() + c], 0, float_roundoff * static_cast<double>(rstd[c]), c);
    statistics.check(static_cast<double>(running_mean[c]), running.mean[c],
                     mean_error + allowed(2, std::abs(old.mean[c])), c);
    statistics.check(static_cast<double>(running_variance[c]), running.variance[c],
                     allowed(n, variance_terms * 2 * batch.variance[c] + old.variance[c]), c);
  }
}

template <class T>
void check_backward(Layer<T>& layer, bool with_residual, bool relu, bool fixed, Comparison& outputs, Comparison& sums) {
  namespace reference = kernels::reference;
  const auto x = layer.x.plain(), d_y = layer.d_y.plain(), gamma = to_double(layer.gamma.host());
  auto mean = to_double(layer.mean.host()), inverse = to_double(layer.inverse.host());
  const auto rounding_errors = to_double(layer.rounding_errors.host());
  for (std::size_t c = 0; c < mean.size() && !fixed; ++c) {
    mean[c] += rounding_errors[c];
    inverse[c] += rounding_errors[mean.size() + c];
  }
  const auto y = relu ? layer.y.plain() : std::vector<double>{};
  layer.run(layer.backward(with_residual, relu, !fixed));
  const auto expected = reference::batch_norm_backward(layer.sizes, x, y, d_y, gamma, mean, inverse, fixed);
  const auto actual = layer.d_x.plain();
  const double n = layer.sizes.values_per_channel();
  const auto normalized = [&](std::size_t c, std::size_t at) { return std::abs(x[at] - mean[c]) * inverse[c]; };
  std::vector<double> plain(gamma.size()), centered(gamma.size());  // sums of |terms|
  reference::for_each_element(layer.sizes, [&](std::size_t c, std::size_t at) {
    plain[c] += std::abs(expected.d_residual[at]);
    centered[c] += std::abs(expected.d_residual[at]) * normalized(c, at);
  });
  reference::for_each_element(layer.sizes, [&](std::size_t c, std::size_t at) {
    double terms = std::abs(expected.d_residual[at]);
    if (!fixed) terms += (plain[c] + normalized(c, at) * centered[c]) / n;
    terms *= std::abs(gamma[c]) * inverse[c];
    outputs.check(actual[at], expected.d_x[at], with_storage<T>(allowed(n, terms), expected.d_x[at]), at);
  });
  const auto d_gamma = layer.d_gamma.host(), d_beta = layer.d_beta.host();
  for (std::size_t c = 0; c < gamma.size(); ++c) {
    sums.check(static_cast<double>(d_beta[c]), expected.d_beta[c], allowed(n, plain[c]), c);
    sums.check(static_cast<double>(d_gamma[c]), expected.d_gamma[c], allowed(n, centered[c]), c);
  }
  if (with_residual) {
    EXPECT_EQ(layer.d_residual.plain(), expected.d_residual);
  }
}

// Fixture shared by the suites of this family.
class BatchNormTest : public DeviceTest {
 protected:
  template <class T>
  std::string label(const char* what) const {
    return "batch norm, " + name_of(device().kind) + ", " + name_of_storage<T>() + ", " + what;
  }
  // Calls body(random, shape, kind) for shapes of all layouts and values of all kinds, or normal ones only.
  template <class T, class Body>
  void for_layers(const std::string& name, int repeats, bool all, const Body& body) {
    Random random(name);
    const int shapes = (on_cpu() ? 3 : 8) * (watched(device()) ? 1 : repeats);
    for (Kind kind : all_kinds)
      for (int number = 0; number < (all || kind == Kind::normal ? shapes : 0); ++number) {
        const LayerShape shape = random_layer_shape(random, device(), number);
        SCOPED_TRACE(shape.text() + " " + name_of(kind) + " " + name_of_storage<T>());
        body(random, shape, kind);
      }
  }
};

}  // namespace preceptor::test
