// Augmentation of one image as plain loops: the specification that every device is tested against.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "kernels/device/philox.h"

namespace preceptor::kernels::reference {

// As in augment.h.
struct AugmentChoices {
  bool flip = false;
  int shift = 0;
  double rotate = 0, scale = 0, crop = 0, brightness = 0, contrast = 0, noise = 0;
  int cutout = 0;
};

// What is drawn for one image.
struct AugmentChange {
  bool flip = false;
  int right = 0, down = 0;                      // the content moves by so many pixels
  double angle = 0, factor = 1;                 // then it is turned counter-clockwise, in radians, and grows
  double side = 1, window_x = 0, window_y = 0;  // then a window of this part of its size, so many pixels off its center
  double contrast = 1, brightness = 0, noise = 0;
  int left = 0, top = 0, cutout = 0;  // the square
  std::uint64_t seed = 0, step = 0, image = 0;
};

// Of 24 bits the middles of 2^24 equal parts of (-1, 1).
inline double symmetric(std::uint32_t bits) { return (2.0 * (bits >> 8) + 1) * 0x1p-24 - 1; }

inline AugmentChange augment_change(std::uint64_t seed, std::uint64_t step, std::uint64_t image,
                                    const AugmentChoices& choices, int height, int width) {
  const auto random = philox(seed, step, image), window = philox(seed, step, image + (std::uint64_t{1} << 32)),
             tone = philox(seed, step, image + (std::uint64_t{2} << 32));
  const std::uint32_t shifts = 2 * static_cast<std::uint32_t>(choices.shift) + 1;
  AugmentChange change;
  change.flip = choices.flip && random[0] >= 0x80000000u;
  change.right = static_cast<int>(random[1] % shifts) - choices.shift;
  change.down = static_cast<int>(random[2] % shifts) - choices.shift;
  change.angle = choices.rotate * symmetric(random[3]) * std::numbers::pi / 180;
  change.factor = 1 + choices.scale * symmetric(random[0] << 1);
  change.side = 1 - choices.crop * (window[0] >> 8) * 0x1p-24;
  change.window_x = symmetric(window[1]) * (1 - change.side) * width / 2;
  change.window_y = symmetric(window[2]) * (1 - change.side) * height / 2;
  change.contrast = 1 + choices.contrast * symmetric(tone[0]);
  change.brightness = choices.brightness * symmetric(tone[1]);
  change.left = static_cast<int>(tone[2] * 0x1p-32 * width) - choices.cutout / 2;
  change.top = static_cast<int>(tone[3] * 0x1p-32 * height) - choices.cutout / 2;
  change.cutout = choices.cutout;
  change.noise = choices.noise;
  change.seed = seed;
  change.step = step;
  change.image = image;
  return change;
}

// Of mean 0 and variance 1: the sum of a number's four bytes.
inline double augment_noise(const AugmentChange& change, std::uint64_t pixel, int channel) {
  const std::uint32_t bits = philox(change.seed, change.step, change.image + ((pixel + 3) << 32))[channel];
  double sum = 0;
  for (const unsigned shift : {0u, 8u, 16u, 24u}) sum += bits >> shift & 255u;
  return (sum - 4 * 127.5) / std::sqrt(4 * (256.0 * 256.0 - 1) / 12);
}

// out [channels, height, width] from pixels [height, width, channels]: flipped, moved, turned, scaled, seen through the
// window, in this order; the border repeated; bilinear between pixels. Then contrast, brightness, noise and the square.
template <class T>
std::vector<T> augment_image(const std::uint8_t* pixels, int channels, int height, int width,
                             const AugmentChange& change, const T* mean, const T* deviation) {
  std::vector<T> out;
  const T cosine = static_cast<T>(std::cos(change.angle) / change.factor);
  const T sine = static_cast<T>(std::sin(change.angle) / change.factor);
  const T side = static_cast<T>(change.side), window_x = static_cast<T>(change.window_x),
          window_y = static_cast<T>(change.window_y);
  for (int channel = 0; channel < channels; ++channel) {
    const auto pixel = [&](T y, T x) {
      const int row = static_cast<int>(std::clamp(y, T(0), T(height - 1)));
      int column = static_cast<int>(std::clamp(x, T(0), T(width - 1)));
      if (change.flip) column = width - 1 - column;
      return static_cast<T>(pixels[(static_cast<std::size_t>(row) * width + column) * channels + channel]) / 255;
    };
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        const T from_x = side * (x - T(width - 1) / 2) + window_x, from_y = side * (y - T(height - 1) / 2) + window_y;
        const T column = cosine * from_x - sine * from_y + T(width - 1) / 2 - change.right;
        const T row = sine * from_x + cosine * from_y + T(height - 1) / 2 - change.down;
        const T left = std::floor(column), top = std::floor(row), right_part = column - left, lower_part = row - top;
        const T above = (1 - right_part) * pixel(top, left) + right_part * pixel(top, left + 1);
        const T below = (1 - right_part) * pixel(top + 1, left) + right_part * pixel(top + 1, left + 1);
        const T sampled = (1 - lower_part) * above + lower_part * below;
        T value = static_cast<T>(change.contrast) * (sampled + static_cast<T>(change.brightness) - mean[channel]) /
                  deviation[channel];
        if (change.noise > 0)
          value +=
              static_cast<T>(change.noise * augment_noise(change, static_cast<std::uint64_t>(y) * width + x, channel)) /
              deviation[channel];
        const bool cut =
            x >= change.left && x < change.left + change.cutout && y >= change.top && y < change.top + change.cutout;
        out.push_back(cut ? T(0) : value);
      }
  }
  return out;
}

}  // namespace preceptor::kernels::reference
