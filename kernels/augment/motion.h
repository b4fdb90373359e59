// Where the pixels of an augmented image come from. All of it in integers: every device, whatever its compiler does to
// floating-point expressions, reads the same pixels with the same weights.
#pragma once

#include <cmath>

#include "kernels/augment/augment.h"
#include "kernels/device/philox.h"

namespace preceptor::kernels {
// Every translation unit has its own: of functions that two share, the linker keeps one, and the emulated device would
// run, unwatched, what was compiled for the cpu.
namespace {

constexpr int unit_bits = 30;
constexpr std::int64_t unit = std::int64_t{1} << unit_bits;  // of sines, cosines and factors

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

// What is done with one image. From a pixel of the output to one of the stored image it goes backwards: unscaled,
// unrotated, unshifted, unflipped.
struct Motion {
  int right = 0, down = 0;                                         // the content moves by so many pixels
  std::int64_t along = std::int64_t{1} << pixel_bits, across = 0;  // cosine and sine, divided by the factor
  std::int64_t flip = 0;  // 0 or 1; a bool would leave padding, which a copy reads and nobody wrote

  // Positions before the clamp to the image and the flip, of the output's pixel.
  ON_ANY_DEVICE std::int64_t column(int x, int y, int height, int width) const {
    return position(along * from_centre(x, width) - across * from_centre(y, height), width, right);
  }
  ON_ANY_DEVICE std::int64_t row(int x, int y, int height, int width) const {
    return position(across * from_centre(x, width) + along * from_centre(y, height), height, down);
  }

 private:
  // In half pixels, which are whole numbers.
  ON_ANY_DEVICE static std::int64_t from_centre(int i, int size) { return 2 * std::int64_t{i} - (size - 1); }
  ON_ANY_DEVICE static std::int64_t position(std::int64_t half_pixels, int size, int moved) {
    return ((half_pixels + (std::int64_t{size - 1} << pixel_bits)) >> 1) - (std::int64_t{moved} << pixel_bits);
  }
};

template <class T>
ON_ANY_DEVICE Motion motion_of(const Augment<T>& a, int image) {
  Motion motion;
  if (!a.state) return motion;
  const auto random =
      philox(a.state->seed, static_cast<std::uint64_t>(a.state->step), static_cast<std::uint64_t>(image));
  const std::uint32_t choices = 2 * static_cast<std::uint32_t>(a.shift) + 1;
  motion.flip = a.flip && random[0] >> 31 != 0;
  motion.right = static_cast<int>(random[1] % choices) - a.shift;
  motion.down = static_cast<int>(random[2] % choices) - a.shift;
  if (!(a.rotate > 0) && !(a.scale > 0)) return motion;
  // One product each, then whole numbers.
  const auto most_angle = static_cast<std::int64_t>(static_cast<double>(a.rotate) * (0x1p32 / 360));
  const auto most_growth = static_cast<std::int64_t>(static_cast<double>(a.scale) * static_cast<double>(unit));
  const SineCosine angle = sine_cosine((most_angle * symmetric(random[3])) >> 24);
  const std::int64_t factor = unit + ((most_growth * symmetric(random[0] << 1)) >> 24);
  motion.along = angle.cosine * (std::int64_t{1} << pixel_bits) / factor;
  motion.across = angle.sine * (std::int64_t{1} << pixel_bits) / factor;
  return motion;
}

// The two pixels of a row or column that a position lies between, the border repeated.
struct Neighbours {
  int first, second;
  float weight;  // of the second

  ON_ANY_DEVICE Neighbours(std::int64_t position, int size) {
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
ON_ANY_DEVICE float sample(const std::uint8_t* image, int width, const Neighbours& row, const Neighbours& column,
                           int channel) {
  const auto at = [&](int y, int x) {
    return static_cast<float>(image[(static_cast<std::int64_t>(y) * width + x) * channels + channel]);
  };
  const float above = interpolate(at(row.first, column.first), at(row.first, column.second), column.weight);
  const float below = interpolate(at(row.second, column.first), at(row.second, column.second), column.weight);
  return interpolate(above, below, row.weight);
}

// The neighbours in the image as it is stored.
ON_ANY_DEVICE inline void flip(Neighbours& column, int width) {
  column.first = width - 1 - column.first;
  column.second = width - 1 - column.second;
}

// pixel / 255 normalised, as one multiply-add.
struct Normalisation {
  float factor[3], offset[3];

  template <class T>
  explicit Normalisation(const Augment<T>& a) {
    for (int c = 0; c < 3; ++c) factor[c] = 1 / (255 * a.deviation[c]), offset[c] = -a.mean[c] / a.deviation[c];
  }
  // Chosen and not indexed: a kernel's parameters would be copied to memory for that.
  ON_ANY_DEVICE float operator()(float pixel, int channel) const {
    return fmaf(pixel,
                channel == 0   ? factor[0]
                : channel == 1 ? factor[1]
                               : factor[2],
                channel == 0   ? offset[0]
                : channel == 1 ? offset[1]
                               : offset[2]);
  }
};

}  // namespace
}  // namespace preceptor::kernels
