// Dropout as a plain loop over values in plain order: the specification that every device is tested against.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/device/philox.h"

namespace preceptor::kernels::reference {

// x [images, channels, pixels]
inline std::vector<double> dropout(const std::vector<double>& x, int images, int channels, int pixels,
                                   std::uint64_t seed, std::uint64_t step, int layer, float probability) {
  std::vector<double> y(x.size());
  const std::uint64_t quads = static_cast<std::uint64_t>(channels + 3) / 4;
  std::size_t at = 0;
  for (int image = 0; image < images; ++image)
    for (int channel = 0; channel < channels; ++channel)
      for (int pixel = 0; pixel < pixels; ++pixel, ++at) {
        const std::uint64_t place = static_cast<std::uint64_t>(image) * pixels + pixel;
        const auto random = philox(seed, step, ((layer + std::uint64_t{1}) << 40) + place * quads + channel / 4);
        const bool stays = random[channel % 4] >= std::floor(static_cast<double>(probability) * 0x1p32);
        y[at] = stays ? x[at] * static_cast<double>(1 / (1 - probability)) : 0;
      }
  return y;
}

}  // namespace preceptor::kernels::reference
