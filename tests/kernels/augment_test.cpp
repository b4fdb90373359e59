// Augmentation against its reference on every device, and its random numbers against published ones.
#include "kernels/augment/augment.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "kernels/augment/motion.h"
#include "kernels/augment/reference.h"
#include "tests/support/compare.h"
#include "tests/support/feature_maps.h"
#include "tests/support/variants.h"

namespace preceptor::test {
namespace {

using namespace kernels;

using Numbers = std::array<std::uint32_t, 4>;

// Known answers of Random123 (kat_vectors, philox4x32 10).
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox(0, 0, 0), (Numbers{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint64_t ones = ~std::uint64_t{0};
  EXPECT_EQ(philox(ones, ones, ones), (Numbers{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e),
            (Numbers{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Philox, UniformStaysBelowOne) {
  EXPECT_EQ(uniform(0), 0.0f);
  EXPECT_LT(uniform(0xffffffffu), 1.0f);
}

constexpr double angle_error = 16.0 / static_cast<double>(unit);  // what sine_cosine() promises

TEST(Augment, SineAndCosineAreAsAccurateAsTheySay) {
  Random random("sine");
  double largest = 0;
  for (int i = 0; i < 20000; ++i) {
    // Multiples of an eighth of a turn and their neighbors, where the quadrant changes, and any angle.
    const std::int64_t angle = i < 51 ? (i / 3 - 8) * (std::int64_t{1} << 29) + i % 3 - 1
                                      : static_cast<std::int64_t>(random.uniform(-0x1p31, 0x1p31));
    const SineCosine actual = sine_cosine(angle);
    const double exact = static_cast<double>(angle) * 0x1p-31 * std::numbers::pi;
    for (double error : {static_cast<double>(actual.sine) / static_cast<double>(unit) - std::sin(exact),
                         static_cast<double>(actual.cosine) / static_cast<double>(unit) - std::cos(exact)})
      largest = std::max(largest, std::abs(error));
  }
  EXPECT_LE(largest, angle_error);
}

struct Choices {
  bool flip = false;
  int shift = 0;
  float rotate = 0, scale = 0, crop = 0, brightness = 0, contrast = 0, noise = 0;
  int cutout = 0;

  reference::AugmentChoices exact() const {
    return {flip,          shift, double{rotate}, double{scale}, double{crop}, double{brightness}, double{contrast},
            double{noise}, cutout};
  }
};

// A batch of random pixels and the maps that Augment fills.
template <class T>
struct Batch {
  Batch(Random& random, const Device& on, const MapShape& map_shape, const MapLayout& layout)
      : device(on), shape(map_shape), out(on, shape, layout), pixels(random_pixels(random, shape.elements())) {}

  static std::vector<std::uint8_t> random_pixels(Random& random, std::size_t count) {
    std::vector<std::uint8_t> pixels(count);
    for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random.integer(0, 255));
    return pixels;
  }
  // Calls launch(arguments); state may be nullptr.
  template <class Launch>
  void run(const StepState* state, const Choices& choices, const Launch& launch) {
    const DeviceBuffer<std::uint8_t> images(device, pixels);
    const DeviceBuffer<StepState> state_there(device, {state ? *state : StepState{}});
    launch(Augment<T>{images.data(),
                      out.map(),
                      state ? state_there.data() : nullptr,
                      {0.485f, 0.456f, 0.406f},
                      {0.229f, 0.224f, 0.225f},
                      choices.flip,
                      choices.shift,
                      choices.rotate,
                      choices.scale,
                      choices.crop,
                      choices.brightness,
                      choices.contrast,
                      choices.noise,
                      choices.cutout,
                      nullptr});
  }
  void run(const StepState* state, const Choices& choices) {
    run(state, choices, [&](const auto& arguments) { execute_on(arguments, device); });
  }

  Device device;
  MapShape shape;
  DeviceMap<T> out;
  std::vector<std::uint8_t> pixels;
};

// How far a position may be off in pixels: what sine and cosine and their quotient by the factor (2^-32) are off over
// the distance from the center; the factor and the angle are cut to 2^-30 and 2^-32 of a turn, their limits too;
// weights to 2^-24. The window's side is cut to 2^-27, its place to 2^-26 pixels.
double position_error(const MapShape& shape, const reference::AugmentChange& change) {
  const double distance = (shape.height + shape.width) / 2.0;
  const double of_angle = angle_error + 2 * 0x1p-32 * 2 * std::numbers::pi, of_factor = 2 * 0x1p-30 / change.factor;
  const double of_window = change.side < 1 ? 2 * distance * 0x1p-27 + 2 * 0x1p-26 : 0;
  return (distance * (of_angle + of_factor) + of_window) / change.factor + distance * 0x1p-32 + 0x1p-24;
}

template <class T>
void check_batch(Batch<T>& batch, const StepState* state, const Choices& choices, Comparison& comparison) {
  batch.run(state, choices);
  EXPECT_TRUE(batch.out.neighbors_untouched());
  const std::vector<double> actual = batch.out.plain();
  const double mean[3] = {double{0.485f}, double{0.456f}, double{0.406f}};
  const double deviation[3] = {double{0.229f}, double{0.224f}, double{0.225f}};
  const MapShape& s = batch.shape;
  const bool between = state && (choices.rotate > 0 || choices.scale > 0 || choices.crop > 0);
  const int values = s.channels * s.plane();
  for (int image = 0; image < s.images; ++image) {
    reference::AugmentChange change;
    if (state)
      change = reference::augment_change(state->seed, static_cast<std::uint64_t>(state->step),
                                         static_cast<std::uint64_t>(image), choices.exact(), s.height, s.width);
    const std::uint8_t* pixels = batch.pixels.data() + static_cast<std::size_t>(image) * values;
    const auto expected = reference::augment_image(pixels, s.channels, s.height, s.width, change, mean, deviation);
    for (int i = 0; i < values; ++i) {
      const int c = i / s.plane();
      // |pixel / 255 / deviation| + |mean / deviation|, with three interpolations before; what a position is off in y
      // or x moves a value by as much of the largest difference of neighbors. Contrast, brightness and noise of up to
      // 3.46 deviations are terms of their own, and four more roundings.
      const bool toned = change.brightness != 0 || change.contrast != 1 || change.noise > 0;
      const double terms = std::abs(expected[i]) +
                           2 * change.contrast * (mean[c] + std::abs(change.brightness)) / deviation[c] +
                           2 * 3.46 * change.noise / deviation[c];
      const double error = allowed(2, terms, (between ? 12 : 4) + (toned ? 6 : 0)) +
                           (between ? 2 * change.contrast * position_error(s, change) / deviation[c] : 0);
      const std::size_t at = static_cast<std::size_t>(image) * values + i;
      comparison.check(actual[at], expected[i], with_storage<T>(error, expected[i]), at);
    }
  }
}

class AugmentTest : public DeviceTest {
 protected:
  template <class T>
  std::string label(const char* what) const {
    return std::string("augment, ") + name_of(device().kind) + ", " + name_of_storage<T>() + ", " + what;
  }
  // The cpu has plain and channels-last maps of so few channels, the plain ones also as ranges of wider ones.
  MapLayout random_layout(Random& random, int channels) const {
    if (!on_cpu()) return channels_last(channels, random.integer(0, 1), random.integer(0, 2));
    return random.coin() ? channel_blocked(channels, channels, false) : channel_blocked(channels, 1, random.coin());
  }
  static StepState random_state(Random& random) {
    return {0, random.integer(0, 1 << 20), static_cast<std::uint64_t>(random.integer(0, 1 << 30))};
  }
};

TEST_P(AugmentTest, MatchesTheReference) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("augment");
    Comparison comparison(label<T>("moved"));
    for (int channels : {1, 2, 3})
      for (int repeat = 0; repeat < (on_cpu() ? 24 : watched(device()) ? 3 : 12); ++repeat) {
        const MapShape shape{random.awkward_size(on_cpu() ? 33 : 7), channels, random.awkward_size(61),
                             random.awkward_size(61)};
        SCOPED_TRACE(shape.text());
        Batch<T> batch(random, device(), shape, random_layout(random, channels));
        const StepState state = random_state(random);
        const int shift = std::min({random.integer(0, 4), shape.height - 1, shape.width - 1});
        check_batch(batch, random.integer(0, 4) == 0 ? nullptr : &state, {random.coin(), shift}, comparison);
      }
  });
}

TEST_P(AugmentTest, RotatesAndScales) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("augment rotated");
    Comparison comparison(label<T>("rotated"));
    for (int channels : {1, 2, 3})
      for (const auto& [rotate, scale] : {std::pair{10.0f, 0.0f}, {0.0f, 0.2f}, {180.0f, 0.9f}, {45.0f, 0.1f}})
        for (int repeat = 0; repeat < (watched(device()) ? 1 : 3); ++repeat) {
          const MapShape shape{random.integer(1, 5), channels, random.awkward_size(61), random.awkward_size(61)};
          SCOPED_TRACE(shape.text() + " rotate " + std::to_string(rotate) + " scale " + std::to_string(scale));
          Batch<T> batch(random, device(), shape, random_layout(random, channels));
          const StepState state = random_state(random);
          const int shift = std::min({random.integer(0, 4), shape.height - 1, shape.width - 1});
          check_batch(batch, &state, {random.coin(), shift, rotate, scale}, comparison);
        }
  });
}

TEST_P(AugmentTest, CropsAndChangesTones) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("augment tones");
    Comparison comparison(label<T>("tones"));
    Choices all{true, 2, 15, 0.1f, 0.3f, 0.2f, 0.3f, 0.05f, 9};
    std::vector<Choices> choices(8);
    choices[0].crop = 0.9f;
    choices[1].brightness = 1;
    choices[2].contrast = 1;
    choices[3].noise = 0.1f;
    choices[4].cutout = 8;
    choices[5] = {.flip = true, .shift = 3, .contrast = 0.2f, .noise = 0.02f, .cutout = 500};
    choices[6] = {.scale = 0.9f, .crop = 0.9f};
    choices[7] = all;
    for (int channels : {1, 2, 3})
      for (const Choices& choice : choices) {
        const MapShape shape{random.integer(1, 4), channels, random.awkward_size(61) + 3, random.awkward_size(61) + 3};
        SCOPED_TRACE(shape.text() + " " + std::to_string(&choice - choices.data()));
        Batch<T> batch(random, device(), shape, random_layout(random, channels));
        const StepState state = random_state(random);
        check_batch(batch, &state, choice, comparison);
      }
  });
}

// The places that are read are the same on all devices, so all that is left are the roundings of a few values.
TEST_P(AugmentTest, ReadsTheSamePlacesAsTheCpu) {
  if (on_cpu()) GTEST_SKIP() << "compared with itself";
  Random random("augment places");
  Comparison comparison(label<float>("against the cpu"));
  const MapShape shape{3, 3, 33, 29};
  const StepState state = random_state(random);
  const Choices choices{true, 3, 180, 0.5f, 0.5f};
  Batch<float> here(random, device(), shape, channels_last(3)), there(random, cpu_device(2), shape, channels_last(3));
  there.pixels = here.pixels;
  here.run(&state, choices);
  there.run(&state, choices);
  const auto actual = here.out.plain(), expected = there.out.plain();
  for (std::size_t i = 0; i < actual.size(); ++i)
    comparison.check(actual[i], expected[i], allowed(2, std::abs(expected[i]) + 2 * 0.485 / 0.229, 12), i);
}

// Rows of several tiles, of more values than a block moves, and images of more rows than a block has.
TEST_P(AugmentTest, LongRowsAndTallImages) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("augment long");
    Comparison comparison(label<T>("long rows"));
    for (const MapShape& shape : {MapShape{1, 3, 3, 701}, {1, 3, 3, 2731}, {1, 1, 2, 8193}, {2, 1, 701, 3}}) {
      if (watched(device()) && shape.width > 3000) continue;
      SCOPED_TRACE(shape.text());
      Batch<T> batch(random, device(), shape,
                     on_cpu() ? channel_blocked(shape.channels, 1, false) : channels_last(shape.channels));
      const StepState state = random_state(random);
      check_batch(batch, &state, {true, 1}, comparison);
    }
  });
}

// So that an image turned by them is not blurred.
TEST(Augment, QuarterTurnsAreExact) {
  const std::int64_t sines[4] = {0, unit, 0, -unit};
  for (int quarters = -4; quarters <= 4; ++quarters) {
    const SineCosine turn = sine_cosine(quarters * (std::int64_t{1} << 30));
    EXPECT_EQ(turn.sine, sines[quarters & 3]);
    EXPECT_EQ(turn.cosine, sines[(quarters + 1) & 3]);
  }
}

TEST(Augment, FlipsHalfAndDrawsEvenly) {
  int flips = 0, moves[5] = {}, angles[4] = {}, factors[4] = {}, inside = 0;
  std::array<int, 4> sides{}, places{}, brightnesses{}, contrasts{}, squares{};
  double sum = 0, squared = 0;
  constexpr int images = 10000;
  for (int image = 0; image < images; ++image) {
    const auto change = reference::augment_change(3, 17, static_cast<std::uint64_t>(image),
                                                  {true, 2, 90, 0.5, 0.5, 0.5, 0.5, 0.1, 10}, 100, 100);
    flips += change.flip;
    ++moves[change.right + 2];
    ++angles[static_cast<int>((change.angle / (std::numbers::pi / 2) + 1) * 2)];
    ++factors[static_cast<int>((change.factor - 0.5) * 4)];
    ++sides[static_cast<int>((change.side - 0.5) * 8)];
    ++places[static_cast<int>((change.window_x / ((1 - change.side) * 50) + 1) * 2)];
    ++brightnesses[static_cast<int>((change.brightness + 0.5) * 4)];
    ++contrasts[static_cast<int>((change.contrast - 0.5) * 4)];
    ++squares[(change.top + 5) / 25];
    for (int channel = 0; channel < 3; ++channel) {
      const double noise = reference::augment_noise(change, 7, channel);
      sum += noise;
      squared += noise * noise;
      inside += std::abs(noise) < 1;
    }
  }
  for (const auto& counts : {sides, places, brightnesses, contrasts, squares})
    for (int count : counts) EXPECT_NEAR(count, images / 4, 5 * std::sqrt(images * 0.1875));
  // Within a deviation of 0 lie 66.827 % of the sums of four bytes, and 68.3 % of normal numbers.
  constexpr double numbers = 3.0 * images;
  EXPECT_NEAR(sum / numbers, 0, 5 / std::sqrt(numbers));
  EXPECT_NEAR(squared / numbers, 1, 5 * std::sqrt(2 / numbers));
  EXPECT_NEAR(inside / numbers, 0.66827, 5 * std::sqrt(0.2217 / numbers));
  // Five standard deviations of a binomial count.
  EXPECT_NEAR(flips, images / 2, 5 * std::sqrt(images * 0.25));
  for (int count : moves) EXPECT_NEAR(count, images / 5, 5 * std::sqrt(images * 0.16));
  for (int count : angles) EXPECT_NEAR(count, images / 4, 5 * std::sqrt(images * 0.1875));
  for (int count : factors) EXPECT_NEAR(count, images / 4, 5 * std::sqrt(images * 0.1875));
}

TEST_P(AugmentTest, DependsOnSeedStepAndImageOnly) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("augment bits");
    const MapShape shape{on_cpu() ? 33 : 5, 3, 31, 29};
    Batch<T> batch(random, device(), shape, on_cpu() ? channel_blocked(3, 1, false) : channels_last(3));
    const StepState state{0, 5, 11}, other{0, 6, 11};
    for (const Choices& choices :
         {Choices{true, 3}, {true, 3, 20, 0.1f}, {.flip = true, .contrast = 0.2f, .noise = 0.1f, .cutout = 7}}) {
      batch.run(&state, choices);
      const auto first = batch.out.memory();
      batch.run(&other, choices);
      EXPECT_FALSE(same_bits(first, batch.out.memory()));
      for (const Device& variant : five_variants(device())) {
        batch.run(&state, choices, [&](const auto& arguments) { execute_on(arguments, variant); });
        EXPECT_TRUE(same_bits(first, batch.out.memory()));
      }
    }
  });
}

// Rows of a stored set: the bits of a batch that holds copies of them.
TEST_P(AugmentTest, ReadsTheImagesThatRowsName) {
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("augment rows");
    const MapShape shape{4, 3, 17, 19};
    Batch<T> batch(random, device(), shape, on_cpu() ? channel_blocked(3, 1, false) : channels_last(3));
    const std::size_t bytes = batch.pixels.size() / 4;
    const std::vector<std::uint8_t> stored = Batch<T>::random_pixels(random, 9 * bytes);
    const std::vector<std::int32_t> rows = {8, 0, 5, 0};
    for (std::size_t i = 0; i < 4; ++i)
      std::copy_n(stored.data() + static_cast<std::size_t>(rows[i]) * bytes, bytes, batch.pixels.data() + i * bytes);
    const DeviceBuffer<std::uint8_t> stored_there(device(), stored);
    const DeviceBuffer<std::int32_t> rows_there(device(), rows);
    const StepState state{0, 5, 11};
    for (const Choices& choices : {Choices{true, 3}, {true, 3, 20, 0.1f}}) {
      batch.run(&state, choices);
      const auto expected = batch.out.memory();
      batch.run(&state, choices, [&](auto arguments) {
        arguments.images = stored_there.data();
        arguments.rows = rows_there.data();
        execute_on(arguments, device());
      });
      EXPECT_TRUE(same_bits(expected, batch.out.memory()));
    }
  });
}

// In rotated images pixels are read four times, from L1, which the counters do not know.
TEST_P(AugmentTest, MovesWhatCostSays) {
  if (device().kind != DeviceKind::emulated || !emulator::counters_available())
    GTEST_SKIP() << "the emulated device counts accesses where it watches them";
  for_storage_types(device(), [&](auto type) {
    using T = decltype(type);
    Random random("augment counters");
    const StepState state = random_state(random);
    for (const MapShape& shape : {MapShape{2, 3, 28, 28}, {1, 1, 224, 224}, {1, 3, 128, 127}})
      for (const StepState* choice : {static_cast<const StepState*>(nullptr), &state}) {
        Batch<T> batch(random, device(), shape, channels_last(shape.channels));
        batch.run(choice, {true, 0}, [&](const auto& arguments) {
          expect_moves_what_cost_says(arguments, device(),
                                      shape.text() + " " + name_of_storage<T>() + (choice ? ", flipped" : ""));
        });
      }
  });
}

INSTANTIATE_ON_ALL_DEVICES(AugmentTest);

}  // namespace
}  // namespace preceptor::test
