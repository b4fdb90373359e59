// Source positions of the pixels of an augmented image, all in integers: every device, whatever its compiler does to
// floating-point expressions, reads the same pixels with the same weights.
#pragma once

#include <array>
#include <cmath>

#include "kernels/augment/augment.h"
#include "kernels/device/philox.h"

namespace preceptor::kernels {
// Every translation unit has its own: of functions that two share, the linker keeps one, and the emulated device would
// run, unwatched, what was compiled for the cpu.
namespace {

constexpr int unit_bits = 30;
constexpr std::int64_t unit = std::int64_t{1} << unit_bits;  // fixed point of sines, cosines and factors

struct SineCosine {
  std::int64_t sine, cosine;  // in units; off by less than 16 of them
};

// angle: in turns, times 2^32. Taylor's series within an eighth of a turn of a multiple of a quarter: the first terms
// left out are 2 units of the sine and 0.1 of the cosine; a product is rounded down to a unit.
ON_ANY_DEVICE inline SineCosine sine_cosine(std::int64_t angle) {
  constexpr std::int64_t quarter_turn = std::int64_t{1} << 30, half_pi = 1686629713;  // in units
  const auto product = [](std::int64_t a, std::int64_t b) { return (a * b) >> unit_bits; };
  const std::int64_t quarters = (angle + quarter_turn / 2) >> 30;
  const std::int64_t x = product(angle - quarters * quarter_turn, half_pi), z = product(x, x);
  std::int64_t sine = unit / 5040 - product(z, unit / 362880);
  sine = product(x, unit - product(z, unit / 6 - product(z, unit / 120 - product(z, sine))));
  std::int64_t cosine = unit / 720 - product(z, unit / 40320 - product(z, unit / 3628800));
  cosine = unit - product(z, unit / 2 - product(z, unit / 24 - product(z, cosine)));
  switch (quarters & 3) {
    case 1:
      return {cosine, -sine};
    case 2:
      return {-sine, -cosine};
    case 3:
      return {-cosine, sine};
  }
  return {sine, cosine};
}

// In (-2^24, 2^24), odd: as often above 0 as below.
ON_ANY_DEVICE inline std::int64_t symmetric(std::uint32_t bits) {
  return 2 * static_cast<std::int64_t>(bits >> 8) + 1 - (std::int64_t{1} << 24);
}

constexpr int pixel_bits = 32;  // positions are in pixels, times 2^32

// How an image is moved. From a pixel of the output to one of the stored image it goes backwards: into the window,
// unscaled, unrotated, unshifted, unflipped.
struct Motion {
  std::int64_t right = 0, down = 0;                                // the content moves by so many pixels, times 2^32
  std::int64_t along = std::int64_t{1} << pixel_bits, across = 0;  // cosine and sine, divided by the factor
  std::int64_t flip = 0;  // 0 or 1; a bool would leave padding, uninitialized when copied

  // Positions before the clamp to the image and the flip, of the output's pixel.
  ON_ANY_DEVICE std::int64_t column(int x, int y, int height, int width) const {
    return position(along * from_center(x, width) - across * from_center(y, height), width, right);
  }
  ON_ANY_DEVICE std::int64_t row(int x, int y, int height, int width) const {
    return position(across * from_center(x, width) + along * from_center(y, height), height, down);
  }

 private:
  // In half pixels, which are whole numbers.
  ON_ANY_DEVICE static std::int64_t from_center(int i, int size) { return 2 * std::int64_t{i} - (size - 1); }
  ON_ANY_DEVICE static std::int64_t position(std::int64_t half_pixels, int size, std::int64_t moved) {
    return ((half_pixels + (std::int64_t{size - 1} << pixel_bits)) >> 1) - moved;
  }
};

// The random numbers of an image are drawn four at a time.
enum Draw : std::uint64_t { motion_draw, window_draw, tone_draw, first_noise_draw };

template <class T>
ON_ANY_DEVICE std::array<std::uint32_t, 4> draw(const Augment<T>& a, int image, std::uint64_t number) {
  return philox(a.state->seed, static_cast<std::uint64_t>(a.state->step),
                static_cast<std::uint64_t>(image) + (number << 32));
}

// A fraction in units.
ON_ANY_DEVICE inline std::int64_t in_units(float fraction) {
  return static_cast<std::int64_t>(static_cast<double>(fraction) * static_cast<double>(unit));
}

// Takes a window out of what the motion shows: `side` of its height and width, in units, at a place that two random
// numbers choose.
ON_ANY_DEVICE inline void enter_window(Motion& motion, std::int64_t side, std::uint32_t place_x, std::uint32_t place_y,
                                       int height, int width) {
  // From the image's center to the window's, in pixels times 2^26: half of what is left beside it, at most.
  constexpr int bits = 26;
  const auto offset = [&](std::uint32_t place, int size) {
    return (((unit - side) * symmetric(place)) >> 24) * size >> (unit_bits + 1 - bits);
  };
  const auto product = [](std::int64_t a, std::int64_t pixels) {
    return a * (pixels >> bits) + ((a * (pixels & ((std::int64_t{1} << bits) - 1))) >> bits);
  };
  const std::int64_t x = offset(place_x, width), y = offset(place_y, height);
  motion.right -= product(motion.along, x) - product(motion.across, y);
  motion.down -= product(motion.across, x) + product(motion.along, y);
  motion.along = motion.along * (side >> 3) >> (unit_bits - 3);  // 63 bits are just enough
  motion.across = motion.across * (side >> 3) >> (unit_bits - 3);
}

template <class T>
ON_ANY_DEVICE Motion motion_of(const Augment<T>& a, int image) {
  Motion motion;
  if (!a.state) return motion;
  const auto random = draw(a, image, motion_draw);
  const std::uint32_t choices = 2 * static_cast<std::uint32_t>(a.shift) + 1;
  const auto moved = [&](std::uint32_t bits) {
    return std::int64_t{static_cast<int>(bits % choices) - a.shift} * (std::int64_t{1} << pixel_bits);
  };
  motion.flip = a.flip && random[0] >> 31 != 0;
  motion.right = moved(random[1]);
  motion.down = moved(random[2]);
  if (a.rotate > 0 || a.scale > 0) {
    // One product each, then whole numbers.
    const auto most_angle = static_cast<std::int64_t>(static_cast<double>(a.rotate) * (0x1p32 / 360));
    const SineCosine angle = sine_cosine((most_angle * symmetric(random[3])) >> 24);
    const std::int64_t factor = unit + ((in_units(a.scale) * symmetric(random[0] << 1)) >> 24);
    motion.along = angle.cosine * (std::int64_t{1} << pixel_bits) / factor;
    motion.across = angle.sine * (std::int64_t{1} << pixel_bits) / factor;
  }
  if (a.crop > 0) {
    const auto window = draw(a, image, window_draw);
    const std::int64_t side = unit - ((in_units(a.crop) * (window[0] >> 8)) >> 24);
    enter_window(motion, side, window[1], window[2], a.out.height, a.out.width);
  }
  return motion;
}

// The two pixels of a row or column that a position lies between, the border repeated.
struct Neighbors {
  int first, second;
  float weight;  // weight of the second

  ON_ANY_DEVICE Neighbors(std::int64_t position, int size) {
    const auto whole = static_cast<int>(position >> pixel_bits);
    first = clamp(whole, size);
    second = clamp(whole + 1, size);
    weight = uniform(static_cast<std::uint32_t>(position));
  }

 private:
  ON_ANY_DEVICE static int clamp(int i, int size) { return i < 0 ? 0 : i < size ? i : size - 1; }
};

// a and b are whole numbers below 256, or lie between such: the difference is exact or rounded once.
ON_ANY_DEVICE inline float interpolate(float a, float b, float weight) { return fmaf(weight, b - a, a); }

// Channel of an image [height, width, channels] between four pixels.
template <int channels>
ON_ANY_DEVICE float sample(const std::uint8_t* image, int width, const Neighbors& row, const Neighbors& column,
                           int channel) {
  const auto at = [&](int y, int x) {
    return static_cast<float>(image[(static_cast<std::int64_t>(y) * width + x) * channels + channel]);
  };
  const float above = interpolate(at(row.first, column.first), at(row.first, column.second), column.weight);
  const float below = interpolate(at(row.second, column.first), at(row.second, column.second), column.weight);
  return interpolate(above, below, row.weight);
}

// The neighbors in the image as it is stored.
ON_ANY_DEVICE inline void flip(Neighbors& column, int width) {
  column.first = width - 1 - column.first;
  column.second = width - 1 - column.second;
}

}  // namespace
}  // namespace preceptor::kernels
