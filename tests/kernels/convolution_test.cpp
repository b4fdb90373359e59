// Convolution against its reference on every device: every direction, layout, fused operation, tile and algorithm.
#include "kernels/convolution/convolution.h"

#include <gtest/gtest.h>

#include <limits>

#include "tests/kernels/convolution_layer.h"
#include "tests/support/gradient_check.h"

namespace preceptor::test {
namespace {

using namespace kernels;

TEST(ConvolutionReference, GradientsMatchFiniteDifferences) {
  Random random("convolution gradient");
  const ConvolutionSizes s{2, 2, 3, 5, 4, {3, 2, 2, 1}};
  const Doubles x = to_double(random.values(s.x_elements())), weight = to_double(random.values(s.weight_elements()));
  const Doubles d_y = to_double(random.values(s.y_elements()));
  check_gradient(x, reference::convolution_data_gradient(s, weight, d_y),
                 [&](const auto& at) { return dot(d_y, reference::convolution_forward(s, at, weight)); });
  check_gradient(weight, reference::convolution_weight_gradient(s, x, d_y),
                 [&](const auto& at) { return dot(d_y, reference::convolution_forward(s, x, at)); });
}

class Convolution : public DeviceTest {
 protected:
  // Calls body(type, random, comparisons) for each type of operands of the device.
  template <class Body>
  void for_operands(const std::string& name, const Body& body) {
    for_operand_types(device(), [&](auto type) {
      using T = decltype(type);
      Random random("convolution " + name);
      Comparisons comparisons(name_of(device().kind) + ", " + name_of_operand<T>() + ", " + name);
      body(type, random, comparisons);
    });
  }
};

// Stem, block and downsampling layers with their channels, on a few pixels.
TEST_P(Convolution, LayersOfResidualAndDenseNetworks) {
  std::vector<ConvolutionSizes> layers{{2, 3, 64, 21, 17, {7, 7, 2, 3}}, {2, 1, 16, 12, 12, {3, 3, 1, 1}},
                                       {2, 64, 64, 9, 11, {3, 3, 1, 1}}, {1, 64, 128, 6, 6, {3, 3, 2, 1}},
                                       {1, 64, 128, 7, 6, {1, 1, 2, 0}}, {1, 256, 64, 4, 4, {1, 1, 1, 0}},
                                       {2, 128, 32, 5, 7, {3, 3, 1, 1}}};
  if (!watched(device()))
    layers.insert(layers.end(), {{1, 512, 64, 2, 2, {3, 3, 1, 1}},
                                 {1, 64, 512, 2, 2, {3, 3, 1, 1}},
                                 {1, 1024, 256, 2, 2, {1, 1, 2, 0}},
                                 {2, 992, 128, 3, 2, {1, 1, 1, 0}}});
  for_operands("layers", [&](auto type, Random& random, Comparisons& comparisons) {
    for (const ConvolutionSizes& layer : layers) check_layer<decltype(type)>(random, device(), layer, comparisons);
  });
}

// Rounding as of plain sums, also where Winograd would be faster; weight gradients of more images than are added up at
// once, and of some that are left over.
TEST_P(Convolution, Direct) {
  for_operands("direct", [&](auto type, Random& random, Comparisons& comparisons) {
    using T = decltype(type);
    check_layer<T>(random, device(), {2, 64, 64, 9, 11, {3, 3, 1, 1}}, comparisons, {.direct = true});
    check_layer<T>(random, device(), {3, 32, 32, 20, 17, {3, 3, 1, 1}}, comparisons, {.bias = true, .direct = true});
    check_layer<T>(random, device(), {2, 16, 32, 33, 17, {1, 1, 1, 0}}, comparisons,
                   {.affine = true, .affine_relu = true, .direct = true});
    check_layer<T>(random, device(), {watched(device()) ? 3 : 41, 32, 32, 4, 4, {3, 3, 1, 1}}, comparisons,
                   {.direct = true});
    check_layer<T>(random, device(), {3, 16, 2, 24, 24, {1, 1, 1, 0}}, comparisons, {.bias = true, .direct = true});
  });
}

TEST_P(Convolution, MapsOfAFewPixels) {
  for_operands("few pixels", [&](auto type, Random& random, Comparisons& comparisons) {
    using T = decltype(type);
    for (int size : {1, 2, 3, 4, 5}) {
      check_layer<T>(random, device(), {3, 32, 48, size, size, {3, 3, 1, 1}}, comparisons);
      check_layer<T>(random, device(), {3, 16, 32, size, size, {3, 3, 2, 1}}, comparisons);
      check_layer<T>(random, device(), {3, 32, 16, size, size, {1, 1, 2, 0}}, comparisons);
    }
    check_layer<T>(random, device(), {5, 16, 16, 1, 7, {3, 3, 1, 1}}, comparisons);
  });
}

TEST_P(Convolution, EverythingAround) {
  for_operands("around", [&](auto type, Random& random, Comparisons& comparisons) {
    for (unsigned bits = 0; bits < 64; ++bits) {
      const auto bit = [&](unsigned i) { return (bits >> i & 1) == 1; };
      if (bit(5) && !bit(4)) continue;  // no relu without its affine map
      const Around around{bit(0), bit(1), bit(2), bit(4), bit(5), bit(3)};
      const ConvolutionSizes sizes = bits % 3 == 0   ? ConvolutionSizes{2, 32, 32, 7, 7, {3, 3, 1, 1}}
                                     : bits % 3 == 1 ? ConvolutionSizes{2, 16, 40, 6, 5, {1, 1, 1, 0}}
                                                     : ConvolutionSizes{1, 5, 9, 6, 7, {3, 3, 2, 1}};
      if (watched(device()) && bits % 5 != 0) continue;
      check_layer<decltype(type)>(random, device(), sizes, comparisons, around);
    }
  });
}

TEST_P(Convolution, ChannelsThatFitNoBlockAndNoGroup) {
  for_operands("odd channels", [&](auto type, Random& random, Comparisons& comparisons) {
    using T = decltype(type);
    const Around biased{.bias = true};
    check_layer<T>(random, device(), {2, 3, 5, 9, 8, {3, 3, 1, 1}}, comparisons, {.bias = true, .relu = true});
    check_layer<T>(random, device(), {2, 24, 40, 6, 6, {3, 3, 1, 1}}, comparisons);
    check_layer<T>(random, device(), {2, 24, 32, 6, 6, {3, 3, 2, 1}}, comparisons);
    check_layer<T>(random, device(), {2, 32, 24, 6, 6, {1, 1, 1, 0}}, comparisons);
    check_layer<T>(random, device(), {2, 16, 10, 6, 6, {1, 1, 1, 0}}, comparisons, biased);
    check_layer<T>(random, device(), {1, 7, 16, 6, 6, {5, 5, 1, 2}}, comparisons);
    check_layer<T>(random, device(), {1, 17, 1, 5, 4, {3, 3, 1, 1}}, comparisons, biased);
    check_layer<T>(random, device(), {3, 1, 1, 3, 5, {1, 1, 1, 0}}, comparisons, biased);
    check_layer<T>(random, device(), {1, 8, 129, 4, 5, {1, 1, 1, 0}}, comparisons, biased);
  });
}

// The cases of kernels/convolution/few_outputs.cpp on a cpu, with and without everything around them.
TEST_P(Convolution, OneByOneToAFewChannels) {
  for_operands("few outputs", [&](auto type, Random& random, Comparisons& comparisons) {
    using T = decltype(type);
    for (int outputs : {1, 2, 7}) {
      check_layer<T>(random, device(), {3, 64, outputs, 9, 5, {1, 1, 1, 0}}, comparisons);
      check_layer<T>(random, device(), {2, 24, outputs, 4, 4, {1, 1, 1, 0}}, comparisons,
                     {.bias = true, .affine = true, .affine_relu = true, .statistics = true});
      check_layer<T>(random, device(), {1, 16, outputs, 1, 1, {1, 1, 1, 0}}, comparisons,
                     {.bias = true, .residual = true, .relu = true});
    }
  });
}

TEST_P(Convolution, RandomShapes) {
  for_operands("random", [&](auto type, Random& random, Comparisons& comparisons) {
    const auto pick = [&](std::initializer_list<int> choices) {
      return choices.begin()[random.integer(0, static_cast<int>(choices.size()) - 1)];
    };
    for (int round = 0; round < (watched(device()) ? 8 : 40); ++round) {
      const int height = pick({1, 2, 3, 5, 7}), width = random.coin() ? height : pick({1, 3});
      const ConvolutionGeometry geometry{height, width, pick({1, 2, 3}),
                                         random.integer(0, std::min(height, width) - 1)};
      const ConvolutionSizes sizes{pick({1, 2, 3}),     pick({1, 3, 8, 13, 16, 32}), pick({1, 8, 11, 16, 32, 72}),
                                   pick({7, 8, 9, 13}), pick({7, 8, 11, 15}),        geometry};
      const Around around{random.coin(), random.coin(), random.coin(), random.coin(), random.coin(), random.coin()};
      const Beside beside{pick({0, 0, 8, 1, 4}), pick({0, 0, 8, 3})};
      check_layer<decltype(type)>(random, device(), sizes, comparisons, around, beside);
    }
  });
}

// So many pixels that blocks of all shapes of tiles work, gradients of weights are split, and statistics come from
// several tiles, of which the last is not full.
TEST_P(Convolution, ManyPixels) {
  for_operands("many pixels", [&](auto type, Random& random, Comparisons& comparisons) {
    using T = decltype(type);
    const Around all{.bias = true, .affine = true, .affine_relu = true, .statistics = true};
    check_layer<T>(random, device(), {3, 16, 64, 17, 19, {1, 1, 1, 0}}, comparisons, all);
    check_layer<T>(random, device(), {2, 8, 72, 23, 29, {1, 1, 1, 0}}, comparisons, all);
    check_layer<T>(random, device(), {1, 3, 7, 45, 31, {3, 3, 1, 1}}, comparisons, all);
    check_layer<T>(random, device(), {2, 8, 32, 31, 29, {3, 3, 2, 1}}, comparisons, all);
    if (watched(device())) return;
    // The largest tiles are for grids of 264 blocks and more.
    check_forward(ConvolutionLayer<T>(random, device(), {5, 8, 68, 58, 59, {1, 1, 1, 0}}, all), comparisons);
    check_layer<T>(random, device(), {70, 36, 8, 17, 17, {3, 3, 17, 1}}, comparisons);
  });
}

// So few tiles and so much depth that it is divided, forward and in the data gradient: in whole groups and in single
// values, with results that are not a multiple of 4 channels, in narrow tiles, and in a shorter last slice.
TEST_P(Convolution, DividedDepth) {
  for_operands("divided depth", [&](auto type, Random& random, Comparisons& comparisons) {
    using T = decltype(type);
    const Around all{
        .bias = true, .residual = true, .relu = true, .affine = true, .affine_relu = true, .statistics = true};
    check_layer<T>(random, device(), {2, 48, 40, 7, 6, {3, 3, 1, 1}}, comparisons, all);
    check_layer<T>(random, device(), {1, 48, 40, 7, 6, {3, 3, 1, 1}}, comparisons, {.bias = true}, {8, 8});
    check_layer<T>(random, device(), {1, 31, 65, 4, 5, {3, 3, 1, 1}}, comparisons, all);
    check_layer<T>(random, device(), {3, 272, 24, 5, 5, {1, 1, 1, 0}}, comparisons, all);
    check_layer<T>(random, device(), {1, 264, 264, 3, 3, {1, 1, 2, 0}}, comparisons, {.relu = true});
    if (!watched(device())) check_layer<T>(random, device(), {2, 72, 136, 9, 8, {3, 3, 1, 1}}, comparisons, all);
  });
}

// With the statistics a divided depth's results come together in another kernel.
TEST_P(Convolution, StatisticsChangeNoResult) {
  for_operands("moments beside", [&](auto type, Random& random, Comparisons&) {
    const ConvolutionLayer<decltype(type)> layer(
        random, device(), {3, 48, 40, 7, 6, {3, 3, 1, 1}},
        {.bias = true, .residual = true, .relu = true, .statistics = true, .direct = true});
    layer.run(layer.forward());
    const auto y = layer.y.memory();
    auto alone = layer.forward();
    alone.statistics = nullptr;
    layer.run(alone);
    EXPECT_TRUE(same_bits(layer.y.memory(), y));
  });
}

// Every digit of the deviations survives a mean 10^4 times as large.
TEST_P(Convolution, LargeMeansCostNoDigitsOfStatistics) {
  for_operands("mean 1e4", [&](auto type, Random& random, Comparisons& comparisons) {
    using T = decltype(type);
    const ConvolutionSizes sizes{3, 8, 40, 11, 13, {1, 1, 1, 0}};
    ConvolutionLayer<T> layer(random, device(), sizes, {.bias = true, .statistics = true});
    const std::vector<float> large(40, 1e4f);
    execute(Copy{layer.bias.data(), large.data(), large.size() * sizeof(float)}, device());
    check_forward(layer, comparisons);
  });
}

TEST_P(Convolution, ResidualMayShareMemoryWithTheResult) {
  for_operands("in place", [&](auto type, Random& random, Comparisons&) {
    ConvolutionLayer<decltype(type)> layer(random, device(), {2, 32, 32, 6, 6, {3, 3, 1, 1}},
                                           {.residual = true, .relu = true});
    layer.run(layer.forward());
    auto in_place = layer.forward();
    in_place.y = layer.residual.map();
    layer.run(in_place);
    EXPECT_EQ(layer.residual.plain(), layer.y.plain());
  });
}

TEST_P(Convolution, TheSameBitsInAnyOrder) {
  for_operands("bits", [&](auto type, Random& random, Comparisons&) {
    using T = decltype(type);
    for (const ConvolutionSizes& sizes : {ConvolutionSizes{2, 16, 72, 16, 17, {1, 1, 1, 0}},
                                          {2, 5, 7, 17, 18, {3, 3, 2, 1}},
                                          {2, 48, 40, 7, 6, {3, 3, 1, 1}}}) {
      const ConvolutionLayer<T> layer(random, device(), sizes,
                                      {.bias = true, .residual = true, .affine = true, .statistics = true});
      std::vector<std::vector<typename ConvolutionLayer<T>::T>> first_maps;
      std::vector<std::vector<float>> first;
      std::vector<ChannelStatistics> first_statistics;
      for (const Device& variant : five_variants(device())) {
        if (on_cpu()) cpu_device(variant.threads);  // plans and their workspaces are for a number of threads
        execute_with_workspace(layer.forward(), variant);
        execute_with_workspace(layer.data_gradient(), variant);
        execute_with_workspace(layer.weight_gradient(), variant);
        const std::vector maps{layer.y.memory(), layer.d_x.memory()};
        // oneDNN divides the sums of a weight gradient among its threads.
        std::vector<std::vector<float>> now;
        if (!on_cpu()) now = {layer.d_weight.host(), layer.d_bias.host()};
        if (first.empty()) first = now, first_maps = maps;
        for (std::size_t i = 0; i < maps.size(); ++i) EXPECT_TRUE(same_bits(maps[i], first_maps[i])) << i;
        for (std::size_t i = 0; i < now.size(); ++i) EXPECT_TRUE(same_bits(now[i], first[i])) << i;
        if (!layer.has_statistics()) continue;
        const std::vector<ChannelStatistics> statistics = layer.statistics.host();
        if (first_statistics.empty()) first_statistics = statistics;
        EXPECT_EQ(
            std::memcmp(statistics.data(), first_statistics.data(), statistics.size() * sizeof(ChannelStatistics)), 0);
      }
    }
  });
}

// A NaN reaches every result whose window holds it, and no other: Winograd's tiles would spread it
// to their neighbors, which is how to see that direct sums are.
TEST_P(Convolution, NotANumberReachesWhatItsWindowHolds) {
  for_operands("nan", [&](auto type, Random& random, Comparisons&) {
    using T = decltype(type);
    for (float poison : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
      for (const ConvolutionSizes& s : {ConvolutionSizes{2, 16, 8, 7, 6, {3, 3, 1, 1}},
                                        {1, 3, 5, 9, 9, {3, 3, 2, 1}},
                                        {2, 32, 32, 7, 6, {3, 3, 1, 1}}}) {
        std::vector<float> values = random.values(s.x_elements());
        const std::size_t at = values.size() / 2;
        values[at] = poison;
        // oneDNN's ReLU makes 0 of it.
        const Around around{.relu = !on_cpu(), .affine = true, .affine_relu = true, .direct = true};
        const ConvolutionLayer<T> layer(random, device(), s, around, {}, values);
        std::vector<bool> reached(s.y_elements()), in_channel(s.weight_elements());
        reference::for_each_product(s, [&](std::size_t in, std::size_t weight, std::size_t out) {
          if (in == at) reached[out] = in_channel[weight] = true;
        });
        layer.run(layer.forward());
        const Doubles y = layer.y.plain();
        for (std::size_t i = 0; i < y.size(); ++i) {
          EXPECT_TRUE(reached[i] || std::isfinite(y[i])) << i;
          EXPECT_TRUE(!reached[i] || std::isinf(poison) || std::isnan(y[i])) << i;
        }
        layer.run(layer.weight_gradient());
        const Doubles d_weight = in_plain_order(layer.order, layer.d_weight.host());
        for (std::size_t i = 0; i < d_weight.size(); ++i)
          EXPECT_TRUE(std::isinf(poison) || std::isnan(d_weight[i]) == in_channel[i]) << i;
      }
  });
}

TEST_P(Convolution, ReorderingWeightsThereAndBackIsExact) {
  Random random("convolution reorder");
  for (const auto& [out, in] : {std::pair{32, 16}, {16, 3}, {24, 32}, {5, 7}}) {
    const WeightOrder order = device_weight_order(device(), out, in, 3, 5);
    const WeightOrder cpu_order = device_weight_order(cpu_device(1), out, in, 3, 5);
    WeightOrder plain = order;
    plain.out_block = plain.in_block = 1;
    const std::vector<float> values = random.values(order.elements());
    const DeviceBuffer<float> from(device(), values), ordered(device(), values), blocked(device(), values),
        back(device(), values);
    execute_on(ReorderWeights{from.data(), ordered.data(), plain, order}, device());
    execute_on(ReorderWeights{ordered.data(), blocked.data(), order, cpu_order}, device());
    execute_on(ReorderWeights{blocked.data(), back.data(), cpu_order, plain}, device());
    EXPECT_EQ(ordered.host(), in_order(order, values)) << out << " x " << in;
    EXPECT_EQ(blocked.host(), in_order(cpu_order, values)) << out << " x " << in;
    EXPECT_EQ(back.host(), values) << out << " x " << in;
  }
}

// Channels-last weights keep the channels of a tap together.
TEST_P(Convolution, WeightsLieAsTheMapsDo) {
  const WeightOrder order = device_weight_order(device(), 24, 16, 3, 5);
  if (on_cpu()) return;
  EXPECT_EQ(order.offset(1, 0, 0, 0), 16u * 15);
  EXPECT_EQ(order.offset(0, 0, 1, 0), 16u * 5);
  EXPECT_EQ(order.offset(0, 0, 0, 1), 16u);
  EXPECT_EQ(order.offset(0, 1, 0, 0), 1u);
}

// The traffic of a 1x1 convolution follows the tile model: x once for every tile of output channels, the weights once
// for every tile of pixels, y once, and a divided depth's partial results once there and once back. No access to shared
// memory meets a conflict, in any direction and tile.
TEST_P(Convolution, MovesWhatTheTilesSay) {
  if (device().kind != DeviceKind::emulated || !emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  for_operands("counters", [&](auto type, Random& random, Comparisons&) {
    using T = decltype(type);
    const auto counted = [&](const auto& arguments) {
      emulator::start_counting();
      execute_with_workspace(arguments, device());
      const emulator::Counters counters = emulator::stop_counting();
      EXPECT_EQ(counters.bank_conflicts, 0) << arguments.name;
      return static_cast<double>(counters.sectors());
    };
    for (const int slices : {1, 2}) {
      const ConvolutionSizes wide{1, slices == 1 ? 64 : 256, 128, 16, 8, {1, 1, 1, 0}};
      const ConvolutionLayer<T> layer(random, device(), wide);
      const double pixels = 128, results = pixels * wide.out, sector = 32 / sizeof(T);
      const double partial = slices == 1 ? 0 : 2 * slices * results * sizeof(float) / 32;
      const double model = (2 * pixels * wide.in + pixels / 64 * wide.in * wide.out + results) / sector + partial;
      const double moved = counted(layer.forward());
      std::printf("[ counters ] %s, shares %d: sectors / tile model %.3f\n", name_of_operand<T>().c_str(), slices,
                  moved / model);
      EXPECT_NEAR(moved / model, 1, 0.01);
      counted(layer.data_gradient());
      counted(layer.weight_gradient());
    }
    const Around all{.bias = true, .residual = true, .relu = true, .affine = true, .statistics = true};
    for (const ConvolutionSizes& sizes : {ConvolutionSizes{2, 16, 32, 9, 8, {3, 3, 1, 1}},
                                          {2, 32, 8, 17, 16, {3, 3, 2, 1}},
                                          {1, 3, 5, 9, 9, {3, 3, 1, 1}},
                                          {1, 48, 40, 5, 5, {3, 3, 1, 1}},
                                          {1, 16, 72, 7, 5, {1, 1, 2, 0}}}) {
      SCOPED_TRACE(text_of(sizes));
      const ConvolutionLayer<T> other(random, device(), sizes, all);
      counted(other.forward());
      counted(other.data_gradient());
      counted(other.weight_gradient());
    }
  });
}

INSTANTIATE_ON_ALL_DEVICES(Convolution);

}  // namespace
}  // namespace preceptor::test
