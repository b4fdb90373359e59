// Augmentation of one image as plain loops: the specification that every device is tested against.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "kernels/device/philox.h"

namespace preceptor::kernels::reference {

struct AugmentMotion {
  bool flip = false;
  int right = 0, down = 0;       // the content moves by so many pixels
  double angle = 0, factor = 1;  // then it is turned counter-clockwise, in radians, and grows
};

// rotate in degrees.
inline AugmentMotion augment_motion(std::uint64_t seed, std::uint64_t step, std::uint64_t image, bool flip, int shift,
                                    double rotate = 0, double scale = 0) {
  const auto random = philox(seed, step, image);
  const std::uint32_t choices = 2 * static_cast<std::uint32_t>(shift) + 1;
  // Of 24 bits the middles of 2^24 equal parts of (-1, 1).
  const auto symmetric = [](std::uint32_t bits) { return (2.0 * (bits >> 8) + 1) * 0x1p-24 - 1; };
  return {flip && random[0] >= 0x80000000u, static_cast<int>(random[1] % choices) - shift,
          static_cast<int>(random[2] % choices) - shift, rotate * symmetric(random[3]) * std::numbers::pi / 180,
          1 + scale * symmetric(random[0] << 1)};
}

// out [channels, height, width] from pixels [height, width, channels]: flipped, moved, turned, scaled, in this order;
// the border repeated; bilinear between pixels.
template <class T>
std::vector<T> augment_image(const std::uint8_t* pixels, int channels, int height, int width,
                             const AugmentMotion& motion, const T* mean, const T* deviation) {
  std::vector<T> out;
  const T cosine = static_cast<T>(std::cos(motion.angle) / motion.factor);
  const T sine = static_cast<T>(std::sin(motion.angle) / motion.factor);
  for (int channel = 0; channel < channels; ++channel) {
    const auto pixel = [&](T y, T x) {
      const int row = static_cast<int>(std::clamp(y, T(0), T(height - 1)));
      int column = static_cast<int>(std::clamp(x, T(0), T(width - 1)));
      if (motion.flip) column = width - 1 - column;
      return static_cast<T>(pixels[(static_cast<std::size_t>(row) * width + column) * channels + channel]) / 255;
    };
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        const T from_x = x - T(width - 1) / 2, from_y = y - T(height - 1) / 2;  // the centre
        const T column = cosine * from_x - sine * from_y + T(width - 1) / 2 - motion.right;
        const T row = sine * from_x + cosine * from_y + T(height - 1) / 2 - motion.down;
        const T left = std::floor(column), top = std::floor(row), right_part = column - left, lower_part = row - top;
        const T above = (1 - right_part) * pixel(top, left) + right_part * pixel(top, left + 1);
        const T below = (1 - right_part) * pixel(top + 1, left) + right_part * pixel(top + 1, left + 1);
        out.push_back(((1 - lower_part) * above + lower_part * below - mean[channel]) / deviation[channel]);
      }
  }
  return out;
}

}  // namespace preceptor::kernels::reference
