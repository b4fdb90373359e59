// Augmentation and normalisation on the cpu, an image per thread at a time.
#include "kernels/augment/augment.h"

#include <algorithm>

#include "kernels/device/lanes.h"
#include "kernels/device/philox.h"

namespace preceptor::kernels {
namespace {

struct Choice {
  bool flip = false;
  int shift_x = 0, shift_y = 0;
};

Choice choose(const Augment& a, int image) {
  if (!a.state) return {};
  const auto random =
      philox(a.state->seed, static_cast<std::uint64_t>(a.state->step), static_cast<std::uint64_t>(image));
  const auto span = static_cast<std::uint32_t>(2 * a.shift + 1);
  return {a.flip && (random[0] >> 31) != 0, static_cast<int>(random[1] % span) - a.shift,
          static_cast<int>(random[2] % span) - a.shift};
}

// Mapping: rows of one image, a table of 256 results per channel instead of arithmetic per pixel. Bytes: 1 read and 4
// written per value.
void augment_image(const Augment& a, int image) {
  const FeatureMap<float>& out = a.out;
  const Choice choice = choose(a, image);
  const std::uint8_t* source = a.images + static_cast<std::size_t>(image) * out.plane() * out.channels;
  for (int channel = 0; channel < out.channels; ++channel) {
    float table[256];
    for (int pixel = 0; pixel < 256; ++pixel)
      table[pixel] = (static_cast<float>(pixel) / 255.0f - a.mean[channel]) / a.deviation[channel];
    for (int y = 0; y < out.height; ++y) {
      const std::uint8_t* row = source + static_cast<std::size_t>(std::clamp(y - choice.shift_y, 0, out.height - 1)) *
                                             out.width * out.channels;
      float* to = out.data + out.offset(image, channel, y, 0);
      for (int x = 0; x < out.width; ++x) {
        const int shifted = std::clamp(x - choice.shift_x, 0, out.width - 1);
        const int from = choice.flip ? out.width - 1 - shifted : shifted;
        to[static_cast<std::size_t>(x) * out.block] = table[row[from * out.channels + channel]];
      }
    }
  }
}

}  // namespace

Cost cost(const Augment& a) {
  const auto values = static_cast<double>(a.out.elements());
  return {5 * values, 2 * values};
}

void run_on(Cpu, const Augment& a) {
#pragma omp parallel for schedule(static) if (a.out.elements() >= parallel_from)
  for (int image = 0; image < a.out.images; ++image) augment_image(a, image);
}

}  // namespace preceptor::kernels
