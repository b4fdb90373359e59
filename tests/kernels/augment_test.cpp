// Augmentation against its reference, and the random numbers behind it against published ones.
#include "kernels/augment/augment.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/augment/reference.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/feature_maps.h"

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

// A batch of random pixels and the maps that Augment fills.
struct Batch {
  Batch(Random& random, const MapShape& map_shape, int block, bool wider)
      : shape(map_shape), out(shape, block, wider), pixels(shape.elements()) {
    for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(random.integer(0, 255));
  }
  Augment arguments(const StepState* state, bool flip, int shift) {
    return {pixels.data(), out.map(), state, {0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f}, flip, shift};
  }

  MapShape shape;
  MapBuffer out;
  std::vector<std::uint8_t> pixels;
};

void check_batch(Batch& batch, const StepState* state, bool flip, int shift, Comparison& comparison) {
  const Augment a = batch.arguments(state, flip, shift);
  execute(a);
  EXPECT_TRUE(batch.out.neighbours_untouched());
  const std::vector<float> actual = batch.out.plain();
  double mean[3], deviation[3];
  for (int c = 0; c < 3; ++c) {
    mean[c] = static_cast<double>(a.mean[c]);
    deviation[c] = static_cast<double>(a.deviation[c]);
  }
  const MapShape& s = batch.shape;
  const int values = s.channels * s.plane();
  for (int image = 0; image < s.images; ++image) {
    reference::AugmentMotion motion;
    if (state)
      motion = reference::augment_motion(state->seed, static_cast<std::uint64_t>(state->step),
                                         static_cast<std::uint64_t>(image), flip, shift);
    const std::uint8_t* pixels = batch.pixels.data() + static_cast<std::size_t>(image) * values;
    const auto expected = reference::augment_image(pixels, s.channels, s.height, s.width, motion, mean, deviation);
    for (int i = 0; i < values; ++i) {
      const int c = i / s.plane();
      // |pixel / 255 / deviation| + |mean / deviation|
      const double terms = std::abs(expected[i]) + 2 * mean[c] / deviation[c];
      const std::size_t at = static_cast<std::size_t>(image) * values + i;
      comparison.check(static_cast<double>(actual[at]), expected[i], allowed(2, terms), at);
    }
  }
}

TEST(Augment, MatchesTheReference) {
  Random random("augment");
  Comparison comparison("augment");
  for (int channels : {1, 2, 3})
    for (bool channels_last : {false, true})
      for (int repeat = 0; repeat < 12; ++repeat) {
        const MapShape shape{random.awkward_size(33), channels, random.awkward_size(61), random.awkward_size(61)};
        SCOPED_TRACE(shape.text());
        const int block = channels_last ? channels : 1;
        Batch batch(random, shape, block, !channels_last && random.coin());
        const StepState state{0, random.integer(0, 1 << 20), static_cast<std::uint64_t>(random.integer(0, 1 << 30))};
        const int shift = std::min({random.integer(0, 4), shape.height - 1, shape.width - 1});
        check_batch(batch, random.integer(0, 4) == 0 ? nullptr : &state, random.coin(), shift, comparison);
      }
}

TEST(Augment, FlipsHalfAndShiftsEvenly) {
  int flips = 0, moves[5] = {};
  constexpr int images = 10000;
  for (int image = 0; image < images; ++image) {
    const auto motion = reference::augment_motion(3, 17, static_cast<std::uint64_t>(image), true, 2);
    flips += motion.flip;
    ++moves[motion.right + 2];
  }
  // Five standard deviations of a binomial count.
  EXPECT_NEAR(flips, images / 2, 5 * std::sqrt(images * 0.25));
  for (int count : moves) EXPECT_NEAR(count, images / 5, 5 * std::sqrt(images * 0.16));
}

TEST(Augment, DependsOnSeedStepAndImageOnly) {
  Random random("augment bits");
  const MapShape shape{33, 3, 31, 29};
  Batch batch(random, shape, 1, false);
  const StepState state{0, 5, 11}, other{0, 6, 11};
  execute(batch.arguments(&state, true, 3), 1);
  const auto first = batch.out.memory();
  execute(batch.arguments(&other, true, 3), 2);
  EXPECT_FALSE(same_bits(first, batch.out.memory()));
  for (int threads : {2, 3}) {
    execute(batch.arguments(&state, true, 3), threads);
    EXPECT_TRUE(same_bits(first, batch.out.memory()));
  }
}

}  // namespace
}  // namespace preceptor::test
