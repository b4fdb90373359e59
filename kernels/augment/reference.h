// Augmentation of one image as plain loops: the specification that every device is tested against.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kernels/device/philox.h"

namespace preceptor::kernels::reference {

struct AugmentMotion {
  bool flip = false;
  int right = 0, down = 0;  // the content moves by so many pixels
};

inline AugmentMotion augment_motion(std::uint64_t seed, std::uint64_t step, std::uint64_t image, bool flip, int shift) {
  const auto random = philox(seed, step, image);
  const std::uint32_t choices = 2 * static_cast<std::uint32_t>(shift) + 1;
  return {flip && random[0] >= 0x80000000u, static_cast<int>(random[1] % choices) - shift,
          static_cast<int>(random[2] % choices) - shift};
}

// out [channels, height, width] from pixels [height, width, channels]: flipped first, then moved, the border repeated.
template <class T>
std::vector<T> augment_image(const std::uint8_t* pixels, int channels, int height, int width,
                             const AugmentMotion& motion, const T* mean, const T* deviation) {
  std::vector<T> out;
  for (int channel = 0; channel < channels; ++channel)
    for (int y = 0; y < height; ++y)
      for (int x = 0; x < width; ++x) {
        const int from_y = std::clamp(y - motion.down, 0, height - 1);
        int from_x = std::clamp(x - motion.right, 0, width - 1);
        if (motion.flip) from_x = width - 1 - from_x;
        const int pixel = pixels[(static_cast<std::size_t>(from_y) * width + from_x) * channels + channel];
        out.push_back((static_cast<T>(pixel) / 255 - mean[channel]) / deviation[channel]);
      }
  return out;
}

}  // namespace preceptor::kernels::reference
