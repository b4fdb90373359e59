// Batch normalization against its reference on every device: layouts, views, ReLU and residual, awkward values, bits.
#include "kernels/batch_norm/batch_norm.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/kernels/batch_norm_layer.h"

namespace preceptor::test {
namespace {

using namespace kernels;

class BatchNorm : public BatchNormTest {};

TEST_P(BatchNorm, ForwardMatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Comparison outputs(label<T>("y")), statistics(label<T>("statistics"));
    for_layers<T>("batch norm forward", on_cpu() ? 4 : 2, true,
                  [&](Random& random, const LayerShape& shape, Kind kind) {
                    Layer<T> layer(random, device(), shape, random.values(shape.shape.elements(), kind));
                    check_forward(layer, random.coin(), random.coin(), outputs, statistics);
                    EXPECT_TRUE(layer.neighbors_untouched());
                  });
  });
}

// More blocks share a tile than the last of them adds up at once: 21 by single values, 16 at once, and 66 by groups, 64
// at once.
TEST_P(BatchNorm, ManyBlocksOfOneTile) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Comparison outputs(label<T>("many blocks, y")), statistics(label<T>("many blocks, statistics"));
    Comparison gradients(label<T>("many blocks, d_x")), sums(label<T>("many blocks, d_gamma and d_beta"));
    Random random("batch norm many blocks");
    for (const MapShape& shape : {MapShape{1, 33, 40, 35}, {1, 64 / static_cast<int>(sizeof(T)) * 2, 131, 130}}) {
      if (watched(device()) && shape.channels != 33) continue;
      const MapLayout layout = on_cpu() ? channel_blocked(shape.channels, shape.channels == 33 ? 1 : 8, false)
                                        : channels_last(shape.channels);
      Layer<T> layer(random, device(), {shape, layout}, random.values(shape.elements()));
      check_forward(layer, false, true, outputs, statistics);
      check_backward(layer, false, true, false, gradients, sums);
    }
  });
}

// Every digit of the deviations survives a mean 10^4 times as large; so does an image that starts with a dark border,
// and one dark pixel where the sums begin.
TEST_P(BatchNorm, LargeMeansCostNoDigits) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Comparison outputs(label<T>("mean 1e4, y")), statistics(label<T>("mean 1e4, statistics"));
    Random random("batch norm large mean");
    for (int channels : {3, 16, 32})
      for (int dark : {0, 1, 40}) {
        const MapShape shape{5, channels, watched(device()) ? 9 : 33, 31};
        std::vector<float> values = random.values(shape.elements());
        for (std::size_t i = 0; i < values.size(); ++i) {
          const bool first_image = i < static_cast<std::size_t>(channels) * shape.plane();
          const bool is_dark = static_cast<int>(i % shape.plane()) < dark && (first_image || dark > 1);
          values[i] = is_dark ? 0.0f : values[i] + 1e4f;
        }
        const int block = on_cpu() ? (channels == 3 ? 1 : channels / 2) : 0;
        Layer<T> layer(random, device(),
                       {shape, on_cpu() ? channel_blocked(channels, block, false) : channels_last(channels)}, values);
        check_forward(layer, false, false, outputs, statistics);
      }
  });
}

TEST_P(BatchNorm, InferenceMatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Comparison outputs(label<T>("inference"));
    for_layers<T>("batch norm inference", 3, false, [&](Random& random, const LayerShape& shape, Kind) {
      const bool relu = random.coin(), with_residual = random.coin();
      Layer<T> layer(random, device(), shape, random.values(shape.shape.elements()));
      layer.run(layer.inference(with_residual, relu));
      const BatchStatistics<double> given{to_double(layer.running_mean.host()),
                                          to_double(layer.running_variance.host())};
      const auto x = layer.x.plain(), gamma = to_double(layer.gamma.host()), beta = to_double(layer.beta.host());
      const auto residual = with_residual ? layer.residual.plain() : std::vector<double>{};
      const auto expected =
          reference::batch_norm_apply(layer.sizes, x, residual, gamma, beta, given, wide_epsilon, relu);
      const auto actual = layer.y.plain();
      reference::for_each_element(layer.sizes, [&](std::size_t c, std::size_t at) {
        const double inverse = 1 / std::sqrt(given.variance[c] + wide_epsilon);
        const double terms = std::abs(gamma[c]) * inverse * std::abs(x[at] - given.mean[c]) + std::abs(beta[c]) +
                             (with_residual ? std::abs(residual[at]) : 0);
        outputs.check(actual[at], expected[at], with_storage<T>(allowed(3, terms), expected[at]), at);
      });
      EXPECT_TRUE(layer.neighbors_untouched());
    });
  });
}

TEST_P(BatchNorm, DoneAgainFromTheStatisticsGivesTheSameBits) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    for_layers<T>("batch norm again", 2, false, [&](Random& random, const LayerShape& shape, Kind) {
      Layer<T> layer(random, device(), shape, random.values(shape.shape.elements()));
      const bool relu = random.coin(), with_residual = random.coin();
      layer.run(layer.forward(with_residual, relu));
      const auto y = layer.y.memory();
      BatchNormInference again = layer.inference(with_residual, relu);
      again.mean = layer.mean.data();
      again.gamma = again.variance = nullptr;
      again.scale = layer.scale.data();
      again.beta = layer.offset.data();
      layer.y.set(std::vector<float>(shape.shape.elements()));
      layer.run(again);
      EXPECT_TRUE(same_bits(layer.y.memory(), y));
    });
  });
}

TEST_P(BatchNorm, BackwardMatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Comparison outputs(label<T>("d_x")), sums(label<T>("d_gamma and d_beta"));
    for_layers<T>("batch norm backward", on_cpu() ? 4 : 2, true,
                  [&](Random& random, const LayerShape& shape, Kind kind) {
                    Layer<T> layer(random, device(), shape, random.values(shape.shape.elements(), kind));
                    const bool with_residual = random.coin(), relu = random.coin();
                    layer.run(layer.forward(with_residual, relu));
                    check_backward(layer, with_residual, relu, random.coin(), outputs, sums);
                    EXPECT_TRUE(layer.neighbors_untouched());
                  });
  });
}

// Moving all x of a channel, or spreading them, changes no y, so d_x has no part along either. An error there is the
// same for all pixels: unlike the rounding of d_x it does not average out in the gradient of a convolution's weights.
TEST_P(BatchNorm, GradientHasNoPartAlongWhatChangesNothing) {
  Random random("batch norm along");
  Comparison shift(label<float>("along a shift")), spread(label<float>("along a spread"));
  // The subtracted term is rounded once, and as much again is left for the sums in it. Those of a cpu are double
  // beyond some values, the others' float all the way.
  const double allowed_roundings = on_cpu() ? 2 : 8;
  for (float offset : {0.0f, 0.5f, 3.0f}) {
    const MapShape shape{6, 32, 16, 16};
    std::vector<float> values = random.values(shape.elements());
    for (float& value : values) value += offset;
    Layer<float> layer(random, device(), {shape, on_cpu() ? channel_blocked(32, 16, false) : channels_last(32)},
                       values);
    layer.d_y.set(values);  // all along the two
    layer.run(layer.forward(false, false));
    layer.run(layer.backward(false, false, true));
    const auto x = layer.x.plain(), d_x = layer.d_x.plain(), d_y = layer.d_y.plain();
    const auto gamma = to_double(layer.gamma.host());
    const auto batch = reference::batch_statistics(layer.sizes, x);
    const auto inverse = [&](std::size_t c) { return 1 / std::sqrt(batch.variance[c] + wide_epsilon); };
    std::vector<double> plain(32), along(32), of_plain(32), of_along(32);
    reference::for_each_element(layer.sizes, [&](std::size_t c, std::size_t at) {
      const double h = (x[at] - batch.mean[c]) * inverse(c), scale = std::abs(gamma[c]) * inverse(c);
      plain[c] += d_x[at];
      // Epsilon keeps a spread from changing nothing at all.
      along[c] += d_x[at] * h - gamma[c] * inverse(c) * d_y[at] * h * wide_epsilon * inverse(c) * inverse(c);
      of_plain[c] += scale * std::abs(d_y[at]);
      of_along[c] += scale * std::abs(d_y[at] * h);
    });
    for (std::size_t c = 0; c < plain.size(); ++c) {
      shift.check(plain[c], 0, allowed_roundings * float_roundoff * of_plain[c], c);
      spread.check(along[c], 0, allowed_roundings * float_roundoff * of_along[c], c);
    }
  }
}

// y is within a rounding of 0 for many values, or too small for bfloat16: the recomputed mask must still be y's.
TEST_P(BatchNorm, TheRecomputedMaskIsThatOfY) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    for_layers<T>("batch norm mask", 2, false, [&](Random& random, const LayerShape& shape, Kind) {
      for (float size : {1.0f, 1e-40f}) {
        std::vector<float> values = random.values(shape.shape.elements());
        for (float& value : values) value = std::round(2 * value) / 2;
        Layer<T> layer(random, device(), shape, values);
        std::vector<float> gamma = layer.gamma.host(), beta(gamma.size(), 0.0f);
        for (float& value : gamma) value *= size;
        execute(Copy{layer.gamma.data(), gamma.data(), gamma.size() * sizeof(float)}, device());
        execute(Copy{layer.beta.data(), beta.data(), beta.size() * sizeof(float)}, device());
        layer.run(layer.forward(false, false));
        // Now beta takes one of the channel's values to 0.
        const std::vector<double> y = layer.y.plain();
        for (std::size_t c = 0; c < beta.size(); ++c)
          beta[c] = static_cast<float>(-y[c * static_cast<std::size_t>(shape.shape.plane())]);
        execute(Copy{layer.beta.data(), beta.data(), beta.size() * sizeof(float)}, device());
        layer.run(layer.forward(false, true));

        const bool batch_statistics = random.coin();
        layer.run(layer.backward(false, true, batch_statistics));
        const auto d_x = layer.d_x.memory();
        const auto d_gamma = layer.d_gamma.host(), d_beta = layer.d_beta.host();
        layer.run(layer.backward(false, true, batch_statistics, true));
        EXPECT_TRUE(same_bits(layer.d_x.memory(), d_x));
        EXPECT_TRUE(same_bits(layer.d_gamma.host(), d_gamma) && same_bits(layer.d_beta.host(), d_beta));
      }
    });
  });
}

TEST_P(BatchNorm, FixedStatisticsNeedNoSums) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    for_layers<T>("batch norm without sums", 1, false, [&](Random& random, const LayerShape& shape, Kind) {
      Layer<T> layer(random, device(), shape, random.values(shape.shape.elements()));
      const bool recompute = random.coin();
      layer.run(layer.forward(false, true));
      layer.run(layer.backward(false, true, false, recompute));
      const auto d_x = layer.d_x.memory();
      BatchNormBackward arguments = layer.backward(false, true, false, recompute);
      arguments.d_gamma = arguments.d_beta = nullptr;
      if (!recompute) arguments.x.data = nullptr;  // then only its shape is used
      EXPECT_EQ(workspace_bytes(arguments, device()), 0u);
      layer.run(arguments);
      EXPECT_TRUE(same_bits(layer.d_x.memory(), d_x));
    });
  });
}

TEST_P(BatchNorm, BackwardMayOverwriteTheGradientItReads) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    for_layers<T>("batch norm in place", 1, false, [&](Random& random, const LayerShape& shape, Kind) {
      Layer<T> layer(random, device(), shape, random.values(shape.shape.elements()));
      layer.run(layer.forward(true, true));
      layer.run(layer.backward(true, true, true));
      const auto d_x = layer.d_x.plain(), d_residual = layer.d_residual.plain();
      const bool residual_in_place = random.coin();
      BatchNormBackward in_place = layer.backward(true, true, true);
      (residual_in_place ? in_place.d_residual : in_place.d_x) = layer.d_y.map();
      layer.run(in_place);
      EXPECT_EQ(residual_in_place ? layer.d_x.plain() : layer.d_y.plain(), d_x);
      EXPECT_EQ(residual_in_place ? layer.d_y.plain() : layer.d_residual.plain(), d_residual);
    });
  });
}

// A gradient by x that is there already is added before d_x is rounded for storage, in its own memory or beside it.
TEST_P(BatchNorm, BackwardAddsWhatThereIsAlready) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Comparison sums(label<T>("d_x beside what there is"));
    for_layers<T>("batch norm so far", 1, false, [&](Random& random, const LayerShape& shape, Kind) {
      Layer<T> layer(random, device(), shape, random.values(shape.shape.elements()));
      DeviceMap<T> so_far(device(), shape.shape, shape.layout);
      so_far.set(random.values(shape.shape.elements()));
      const auto before = so_far.plain();
      const bool with_residual = random.coin(), relu = random.coin();
      layer.run(layer.forward(with_residual, relu));
      BatchNormBackward<T> arguments = layer.backward(with_residual, relu, random.coin());
      layer.run(arguments);
      const auto alone = layer.d_x.plain();
      arguments.d_x_so_far = so_far.map();
      layer.run(arguments);
      const auto together = layer.d_x.plain();
      double largest = 0;
      for (double value : alone) largest = std::max(largest, std::abs(value));
      for (std::size_t i = 0; i < alone.size(); ++i) {
        // Terms as large as the largest gradient, whose sum may be taken in another order; and `alone` was stored.
        const double expected = alone[i] + before[i], stored_alone = with_storage<T>(0, alone[i]);
        const double error = allowed(1, largest + std::abs(before[i])) + stored_alone;
        sums.check(together[i], expected, with_storage<T>(error, expected), i);
      }
      arguments.d_x = so_far.map();
      layer.run(arguments);
      EXPECT_EQ(so_far.plain(), together);
      EXPECT_TRUE(layer.neighbors_untouched() && so_far.neighbors_untouched());
    });
  });
}

TEST_P(BatchNorm, TheSameBitsInAnyOrder) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    const auto check = [&](Random& random, const LayerShape& shape, Kind) {
      Layer<T> layer(random, device(), shape, random.values(shape.shape.elements()));
      BatchNormForward forward = layer.forward(true, true);
      forward.running_mean = nullptr;
      std::vector<decltype(layer.y.memory())> first_maps;
      std::vector<std::vector<float>> first;
      for (const Device& variant : five_variants(device())) {
        execute_with_workspace(forward, variant);
        execute_with_workspace(layer.backward(true, true, true), variant);
        const std::vector maps{layer.y.memory(), layer.d_x.memory(), layer.d_residual.memory()};
        const std::vector now{layer.mean.host(), layer.inverse.host(), layer.offset.host(), layer.d_gamma.host(),
                              layer.d_beta.host()};
        if (first.empty()) first = now, first_maps = maps;
        for (std::size_t i = 0; i < maps.size(); ++i) EXPECT_TRUE(same_bits(maps[i], first_maps[i])) << i;
        for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(same_bits(now[i], first[i])) << i;
      }
    };
    for_layers<T>("batch norm bits", 1, false, check);
    Random random("batch norm bits on threads");
    if (on_cpu())  // enough values that threads are started, channel blocks that divide among them or not
      for (int block : all_blocks)
        for (int blocks : {1, 3, 4, 17})
          check(random, {{19, block * blocks, 31, 13}, channel_blocked(block * blocks, block, false)}, Kind::normal);
  });
}

TEST_P(BatchNorm, ANotANumberStaysInItsChannel) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    for_layers<T>("batch norm nan", 1, false, [&](Random& random, const LayerShape& shape, Kind) {
      const int channel = random.integer(0, shape.shape.channels - 1),
                pixel = random.integer(0, shape.shape.plane() - 1);
      auto values = random.values(shape.shape.elements());
      values[static_cast<std::size_t>(channel) * shape.shape.plane() + pixel] = std::numeric_limits<float>::quiet_NaN();
      Layer<T> layer(random, device(), shape, values);
      layer.run(layer.forward(false, true));
      const auto y = layer.y.plain();
      reference::for_each_element(layer.sizes, [&](std::size_t c, std::size_t at) {
        EXPECT_EQ(std::isnan(y[at]), c == static_cast<std::size_t>(channel));
      });
    });
  });
}

TEST_P(BatchNorm, FoldingMatchesTheFormula) {
  Random random("fold batch norm");
  Comparison folded(label<float>("folding"));
  for (int block : {1, 8, 16, 5, 129})
    for (int inner : {1, 45, 1153}) {
      const int out = block > 16 ? block : 3 * block;
      const auto weight = random.values(static_cast<std::size_t>(out) * inner);
      const auto gamma = random.values(out), beta = random.values(out), mean = random.values(out);
      std::vector<float> variance;
      for (float value : random.values(out)) variance.push_back(value * value);
      const DeviceBuffer<float> w(device(), weight), g(device(), gamma), b(device(), beta), m(device(), mean);
      const DeviceBuffer<float> v(device(), variance), new_weight(device(), weight), new_bias(device(), beta);
      execute_on(FoldBatchNorm{w.data(), g.data(), b.data(), m.data(), v.data(), new_weight.data(), new_bias.data(),
                               out, block, inner, epsilon},
                 device());
      const auto actual_weight = new_weight.host(), actual_bias = new_bias.host();
      for (int c = 0; c < out; ++c) {
        const double factor =
            static_cast<double>(gamma[c]) / std::sqrt(static_cast<double>(variance[c]) + wide_epsilon);
        const double shift = static_cast<double>(mean[c]) * factor, offset = static_cast<double>(beta[c]);
        folded.check(static_cast<double>(actual_bias[c]), offset - shift,
                     allowed(2, std::abs(offset) + std::abs(shift)), c);
        for (int i = 0; i < inner; ++i) {
          const std::size_t at = (static_cast<std::size_t>(c / block) * inner + i) * block + c % block;
          const double expected = static_cast<double>(weight[at]) * factor;
          folded.check(static_cast<double>(actual_weight[at]), expected, allowed(1, std::abs(expected)), at);
        }
      }
    }
}

// Parameters, statistics and partial sums are a few percent beside the maps.
TEST_P(BatchNorm, MovesWhatCostSays) {
  if (device().kind != DeviceKind::emulated || !emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("batch norm counters");
    for (int channels : {64, 96, 256}) {
      const MapShape shape{4, channels, 32, channels == 256 ? 13 : 31};
      const Layer<T> layer(random, device(), {shape, channels_last(channels)}, random.values(shape.elements()));
      const auto check = [&](const auto& arguments, const char* what) {
        expect_moves_what_cost_says(arguments, device(), shape.text() + " " + name_of_storage<T>() + ", " + what);
      };
      check(layer.forward(false, true), "forward");
      check(layer.forward(true, true), "forward, residual");
      check(layer.inference(false, true), "inference");
      check(layer.backward(true, true, true), "backward, residual");
      check(layer.backward(false, true, true, true), "backward, mask recomputed");
      check(layer.backward(false, true, false), "backward, fixed statistics");
    }
  });
  // All weights of a convolution at once, as cuda holds them, and one output channel at a time.
  for (int block : {64, 1}) {
    constexpr int out = 64, inner = 64 * 9;
    const DeviceBuffer<float> weight(device(), std::vector<float>(out * inner)), folded(device(), weight.host());
    const DeviceBuffer<float> parameters(device(), std::vector<float>(out, 1.0f)), bias(device(), parameters.host());
    const float* p = parameters.data();
    expect_moves_what_cost_says(
        FoldBatchNorm{weight.data(), p, p, p, p, folded.data(), bias.data(), out, block, inner, epsilon}, device(),
        "folding, block " + std::to_string(block));
  }
}

INSTANTIATE_ON_ALL_DEVICES(BatchNorm);

}  // namespace
}  // namespace preceptor::test
