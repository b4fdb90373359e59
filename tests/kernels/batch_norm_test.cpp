// Batch normalisation against its reference: every layout, views, ReLU and residual, awkward values, bitwise repeats.
#include "kernels/batch_norm/batch_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kernels/batch_norm/reference.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/feature_maps.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

using namespace kernels;
using reference::BatchNormSizes;
using reference::BatchStatistics;

constexpr float epsilon = 1e-5f;

// The maps and parameters of one layer, and launches on them.
struct Layer {
  Layer(Random& random, const MapShape& map_shape, int block, bool wider, const std::vector<float>& values)
      : shape(map_shape),
        sizes{shape.images, shape.channels, shape.plane()},
        x(shape, block, wider),
        residual(shape, block, wider),
        y(shape, block, wider),
        d_y(shape, block, wider),
        d_x(shape, block, wider),
        d_residual(shape, block, wider) {
    x.set(values);
    residual.set(random.values(shape.elements()));
    d_y.set(random.values(shape.elements()));
    gamma = random.values(shape.channels);
    beta = random.values(shape.channels);
    running_mean = random.values(shape.channels);
    for (float value : random.values(shape.channels)) running_variance.push_back(0.1f + value * value);
    for (auto* out : {&mean, &inverse, &d_gamma, &d_beta}) out->assign(shape.channels, 0);
  }

  BatchNormForward forward(bool with_residual, bool relu) {
    FeatureMap<float> added = residual.map();
    if (!with_residual) added.data = nullptr;
    return {
        x.map(),     added,          y.map(), gamma.data(), beta.data(), running_mean.data(), running_variance.data(),
        mean.data(), inverse.data(), epsilon, 0.1f,         relu};
  }
  BatchNormBackward backward(bool with_residual, bool relu, bool batch_statistics) {
    FeatureMap<float> out = y.map(), d_added = d_residual.map();
    if (!relu) out.data = nullptr;
    if (!with_residual) d_added.data = nullptr;
    return {x.map(),        out,           d_y.map(),       d_x.map(),
            d_added,        gamma.data(),  mean.data(),     inverse.data(),
            d_gamma.data(), d_beta.data(), batch_statistics};
  }
  bool neighbours_untouched() const {
    return y.neighbours_untouched() && d_x.neighbours_untouched() && d_residual.neighbours_untouched() &&
           x.neighbours_untouched() && d_y.neighbours_untouched() && residual.neighbours_untouched();
  }

  MapShape shape;
  BatchNormSizes sizes;
  MapBuffer x, residual, y, d_y, d_x, d_residual;
  std::vector<float> gamma, beta, running_mean, running_variance, mean, inverse, d_gamma, d_beta;
};

// Sums are taken around a shift at most four deviations from the mean: the squares are at most 16 times their part that
// counts, so a variance has 16 times the relative error of a sum, and its root 8 times.
constexpr double variance_terms = 16, deviation_terms = 8, mean_terms = 4;

void check_forward(Layer& layer, bool with_residual, bool relu, Comparison& outputs, Comparison& statistics) {
  const BatchStatistics<double> old{to_double(layer.running_mean), to_double(layer.running_variance)};
  execute(layer.forward(with_residual, relu));
  const auto x = to_double(layer.x.plain()), gamma = to_double(layer.gamma), beta = to_double(layer.beta);
  const auto residual = with_residual ? to_double(layer.residual.plain()) : std::vector<double>{};
  const double wide_epsilon = static_cast<double>(epsilon), n = layer.sizes.values_per_channel();
  const auto batch = reference::batch_statistics(layer.sizes, x);
  const auto expected = reference::batch_norm_apply(layer.sizes, x, residual, gamma, beta, batch, wide_epsilon, relu);
  const std::vector<float> actual = layer.y.plain();
  reference::for_each_element(layer.sizes, [&](std::size_t channel, std::size_t at) {
    const double scale = std::abs(gamma[channel]) / std::sqrt(batch.variance[channel] + wide_epsilon);
    const double terms = deviation_terms * scale * std::abs(x[at] - batch.mean[channel]) +
                         mean_terms * std::abs(gamma[channel]) + std::abs(beta[channel]) +
                         (with_residual ? std::abs(residual[at]) : 0);
    outputs.check(static_cast<double>(actual[at]), expected[at], allowed(n, terms), at);
  });
  BatchStatistics<double> running = old;
  reference::move_running_statistics(layer.sizes, batch, static_cast<double>(0.1f), running);
  for (std::size_t c = 0; c < gamma.size(); ++c) {
    const double deviation = std::sqrt(batch.variance[c]);
    const double inverse = 1 / std::sqrt(batch.variance[c] + wide_epsilon);
    // The mean is stored as float, so one rounding of its size comes on top of the sum's error.
    const double mean_error = allowed(n, mean_terms * deviation) + 2 * float_roundoff * std::abs(batch.mean[c]);
    statistics.check(static_cast<double>(layer.mean[c]), batch.mean[c], mean_error, c);
    statistics.check(static_cast<double>(layer.inverse[c]), inverse, allowed(n, deviation_terms * inverse), c);
    statistics.check(static_cast<double>(layer.running_mean[c]), running.mean[c],
                     mean_error + allowed(2, std::abs(old.mean[c])), c);
    statistics.check(static_cast<double>(layer.running_variance[c]), running.variance[c],
                     allowed(n, variance_terms * 2 * batch.variance[c] + old.variance[c]), c);
  }
}

TEST(BatchNorm, ReferenceGradientMatchesFiniteDifferences) {
  Random random("batch norm gradient");
  const BatchNormSizes sizes{3, 2, 4};
  const auto x = to_double(random.values(sizes.elements())), residual = to_double(random.values(sizes.elements()));
  const auto weights = to_double(random.values(sizes.elements()));
  const auto gamma = to_double(random.values(2)), beta = to_double(random.values(2));
  for (bool fixed : {false, true}) {
    const BatchStatistics<double> given = reference::batch_statistics(sizes, x);
    const auto forward = [&](const std::vector<double>& at, const std::vector<double>& scale,
                             const std::vector<double>& offset) {
      const auto used = fixed ? given : reference::batch_statistics(sizes, at);
      return reference::batch_norm_apply(sizes, at, residual, scale, offset, used, 1e-5, false);
    };
    std::vector<double> inverse;
    for (double variance : given.variance) inverse.push_back(1 / std::sqrt(variance + 1e-5));
    const auto result = reference::batch_norm_backward(sizes, x, {}, weights, gamma, given.mean, inverse, fixed);
    check_gradient(x, result.d_x, [&](const auto& at) { return dot(weights, forward(at, gamma, beta)); });
    check_gradient(gamma, result.d_gamma, [&](const auto& at) { return dot(weights, forward(x, at, beta)); });
    check_gradient(beta, result.d_beta, [&](const auto& at) { return dot(weights, forward(x, gamma, at)); });
    EXPECT_EQ(result.d_residual, weights);
  }
}

TEST(BatchNorm, ForwardMatchesTheReference) {
  Random random("batch norm forward");
  Comparison outputs("batch norm forward, y"), statistics("batch norm forward, statistics");
  for (int block : all_blocks)
    for (Kind kind : all_kinds)
      for (int repeat = 0; repeat < 4; ++repeat) {
        const MapShape shape = random_shape(random, block);
        SCOPED_TRACE(shape.text() + " block " + std::to_string(block) + " " + name_of(kind));
        Layer layer(random, shape, block, random.coin(), random.values(shape.elements(), kind));
        check_forward(layer, random.coin(), random.coin(), outputs, statistics);
        EXPECT_TRUE(layer.neighbours_untouched());
      }
}

// Every digit of the deviations survives a mean 10^4 times as large; so does an image that starts with a dark border.
TEST(BatchNorm, LargeMeansCostNoDigits) {
  Random random("batch norm large mean");
  Comparison outputs("batch norm, mean 1e4, y"), statistics("batch norm, mean 1e4, statistics");
  for (int block : all_blocks)
    for (bool border : {false, true}) {
      const MapShape shape{5, 2 * block, 33, 31};
      std::vector<float> values = random.values(shape.elements());
      for (std::size_t i = 0; i < values.size(); ++i)
        values[i] = border && i % shape.plane() < 40 ? 0.0f : values[i] + 1e4f;
      Layer layer(random, shape, block, false, values);
      check_forward(layer, false, false, outputs, statistics);
    }
}

TEST(BatchNorm, InferenceMatchesTheReference) {
  Random random("batch norm inference");
  Comparison outputs("batch norm inference");
  for (int block : all_blocks)
    for (int repeat = 0; repeat < 8; ++repeat) {
      const MapShape shape = random_shape(random, block);
      SCOPED_TRACE(shape.text() + " block " + std::to_string(block));
      const bool relu = random.coin(), with_residual = random.coin();
      Layer layer(random, shape, block, random.coin(), random.values(shape.elements()));
      const BatchNormForward f = layer.forward(with_residual, relu);
      execute(
          BatchNormInference{f.x, f.residual, f.y, f.gamma, f.beta, f.running_mean, f.running_variance, epsilon, relu});
      const BatchStatistics<double> given{to_double(layer.running_mean), to_double(layer.running_variance)};
      const auto x = to_double(layer.x.plain());
      const auto residual = with_residual ? to_double(layer.residual.plain()) : std::vector<double>{};
      const auto expected =
          reference::batch_norm_apply(layer.sizes, x, residual, to_double(layer.gamma), to_double(layer.beta), given,
                                      static_cast<double>(epsilon), relu);
      const auto actual = layer.y.plain();
      reference::for_each_element(layer.sizes, [&](std::size_t c, std::size_t at) {
        const double inverse = 1 / std::sqrt(given.variance[c] + static_cast<double>(epsilon));
        const double terms = std::abs(static_cast<double>(layer.gamma[c])) * inverse * std::abs(x[at] - given.mean[c]) +
                             std::abs(static_cast<double>(layer.beta[c])) +
                             (with_residual ? std::abs(residual[at]) : 0);
        outputs.check(static_cast<double>(actual[at]), expected[at], allowed(3, terms), at);
      });
      EXPECT_TRUE(layer.neighbours_untouched());
    }
}

void check_backward(Layer& layer, bool with_residual, bool relu, bool fixed, Comparison& outputs, Comparison& sums) {
  const auto x = to_double(layer.x.plain()), gamma = to_double(layer.gamma), d_y = to_double(layer.d_y.plain());
  const auto mean = to_double(layer.mean), inverse = to_double(layer.inverse);
  const auto y = relu ? to_double(layer.y.plain()) : std::vector<double>{};
  execute(layer.backward(with_residual, relu, !fixed));
  const auto expected = reference::batch_norm_backward(layer.sizes, x, y, d_y, gamma, mean, inverse, fixed);
  const auto actual = layer.d_x.plain();
  const double n = layer.sizes.values_per_channel();
  const auto normalised = [&](std::size_t c, std::size_t at) { return std::abs(x[at] - mean[c]) * inverse[c]; };
  std::vector<double> plain(gamma.size()), centred(gamma.size());  // sums of |terms|
  reference::for_each_element(layer.sizes, [&](std::size_t c, std::size_t at) {
    plain[c] += std::abs(expected.d_residual[at]);
    centred[c] += std::abs(expected.d_residual[at]) * normalised(c, at);
  });
  reference::for_each_element(layer.sizes, [&](std::size_t c, std::size_t at) {
    double terms = std::abs(expected.d_residual[at]);
    if (!fixed) terms += (plain[c] + normalised(c, at) * centred[c]) / n;
    terms *= std::abs(gamma[c]) * inverse[c];
    outputs.check(static_cast<double>(actual[at]), expected.d_x[at], allowed(n, terms), at);
  });
  for (std::size_t c = 0; c < gamma.size(); ++c) {
    sums.check(static_cast<double>(layer.d_beta[c]), expected.d_beta[c], allowed(n, plain[c]), c);
    sums.check(static_cast<double>(layer.d_gamma[c]), expected.d_gamma[c], allowed(n, centred[c]), c);
  }
  if (with_residual) {
    EXPECT_EQ(to_double(layer.d_residual.plain()), expected.d_residual);
  }
}

TEST(BatchNorm, BackwardMatchesTheReference) {
  Random random("batch norm backward");
  Comparison outputs("batch norm backward, d_x"), sums("batch norm backward, d_gamma and d_beta");
  for (int block : all_blocks)
    for (Kind kind : all_kinds)
      for (int repeat = 0; repeat < 4; ++repeat) {
        const MapShape shape = random_shape(random, block);
        SCOPED_TRACE(shape.text() + " block " + std::to_string(block) + " " + name_of(kind));
        Layer layer(random, shape, block, random.coin(), random.values(shape.elements(), kind));
        const bool with_residual = random.coin(), relu = random.coin();
        execute(layer.forward(with_residual, relu));
        check_backward(layer, with_residual, relu, random.coin(), outputs, sums);
        EXPECT_TRUE(layer.neighbours_untouched());
      }
}

TEST(BatchNorm, BackwardMayOverwriteTheGradientItReads) {
  Random random("batch norm in place");
  for (bool residual_in_place : {false, true}) {
    const MapShape shape{3, 16, 13, 7};
    Layer layer(random, shape, 16, false, random.values(shape.elements()));
    execute(layer.forward(true, true));
    execute(layer.backward(true, true, true));
    const auto d_x = layer.d_x.plain(), d_residual = layer.d_residual.plain();
    BatchNormBackward in_place = layer.backward(true, true, true);
    (residual_in_place ? in_place.d_residual : in_place.d_x) = layer.d_y.map();
    execute(in_place);
    EXPECT_TRUE(same_bits(residual_in_place ? layer.d_x.plain() : layer.d_y.plain(), d_x));
    EXPECT_TRUE(same_bits(residual_in_place ? layer.d_y.plain() : layer.d_residual.plain(), d_residual));
  }
}

TEST(BatchNorm, TheSameBitsWhateverTheThreads) {
  Random random("batch norm bits");
  for (int block : all_blocks)
    for (int blocks : {1, 3, 4, 17}) {
      const MapShape shape{19, block * blocks, 31, 13};
      const auto values = random.values(shape.elements());
      Layer layer(random, shape, block, false, values);
      BatchNormForward forward = layer.forward(true, true);
      forward.running_mean = nullptr;
      std::vector<std::vector<float>> first;
      for (int threads : {1, 2, 2, 3}) {
        execute(forward, threads);
        execute(layer.backward(true, true, true), threads);
        const std::vector<std::vector<float>> now{layer.y.memory(), layer.d_x.memory(), layer.mean,
                                                  layer.inverse,    layer.d_gamma,      layer.d_beta};
        if (first.empty()) first = now;
        for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(same_bits(now[i], first[i])) << threads << " " << i;
      }
    }
}

TEST(BatchNorm, ANotANumberStaysInItsChannel) {
  Random random("batch norm nan");
  for (int block : all_blocks) {
    const MapShape shape{3, 2 * block, 5, 7};
    auto values = random.values(shape.elements());
    values[static_cast<std::size_t>(shape.plane()) + 3] = std::numeric_limits<float>::quiet_NaN();  // channel 1
    Layer layer(random, shape, block, false, values);
    execute(layer.forward(false, true));
    const auto y = layer.y.plain();
    reference::for_each_element(layer.sizes,
                                [&](std::size_t c, std::size_t at) { EXPECT_EQ(std::isnan(y[at]), c == 1); });
  }
}

TEST(BatchNorm, FoldingMatchesTheFormula) {
  Random random("fold batch norm");
  Comparison folded("fold batch norm");
  for (int block : all_blocks) {
    const int out = 3 * block, inner = 45;
    const auto weight = random.values(static_cast<std::size_t>(out) * inner);
    const auto gamma = random.values(out), beta = random.values(out), mean = random.values(out);
    std::vector<float> variance, new_weight(weight.size()), new_bias(out);
    for (float value : random.values(out)) variance.push_back(value * value);
    execute(FoldBatchNorm{weight.data(), gamma.data(), beta.data(), mean.data(), variance.data(), new_weight.data(),
                          new_bias.data(), out, block, inner, epsilon});
    for (int c = 0; c < out; ++c) {
      const double factor =
          static_cast<double>(gamma[c]) / std::sqrt(static_cast<double>(variance[c]) + static_cast<double>(epsilon));
      const double shift = static_cast<double>(mean[c]) * factor, offset = static_cast<double>(beta[c]);
      folded.check(static_cast<double>(new_bias[c]), offset - shift, allowed(2, std::abs(offset) + std::abs(shift)), c);
      for (int i = 0; i < inner; ++i) {
        const std::size_t at = (static_cast<std::size_t>(c / block) * inner + i) * block + c % block;
        const double expected = static_cast<double>(weight[at]) * factor;
        folded.check(static_cast<double>(new_weight[at]), expected, allowed(1, std::abs(expected)), at);
      }
    }
  }
}

}  // namespace
}  // namespace preceptor::test
