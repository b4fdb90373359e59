// What becomes of the grey values of an augmented image: normalization, contrast, brightness, noise, and the square
// that is cut out.
#pragma once

#include "kernels/augment/motion.h"

namespace preceptor::kernels {
namespace {  // as in motion.h

struct Tone {
  float contrast = 1, brightness = 0;
  int left = 0, top = 0;  // of the square
};

// Everything that is drawn once for an image.
struct Change {
  Motion motion;
  Tone tone;
};

// The pixels behind an image of the batch.
template <class T>
ON_ANY_DEVICE const std::uint8_t* stored_image(const Augment<T>& a, int image) {
  const std::int64_t row = a.rows ? a.rows[image] : image;
  return a.images + row * a.out.height * a.out.width * a.out.channels;
}

template <class T>
ON_ANY_DEVICE Change change_of(const Augment<T>& a, int image) {
  Change change{motion_of(a, image), {}};
  if (!a.state || !(a.brightness > 0 || a.contrast > 0 || a.cutout > 0)) return change;
  const auto random = draw(a, image, tone_draw);
  const auto place = [&](std::uint32_t bits, int size) {
    return static_cast<int>((std::uint64_t{bits} * static_cast<std::uint32_t>(size)) >> 32) - a.cutout / 2;
  };
  change.tone = {fmaf(a.contrast, static_cast<float>(symmetric(random[0])) * 0x1p-24f, 1.0f),
                 a.brightness * (static_cast<float>(symmetric(random[1])) * 0x1p-24f), place(random[2], a.out.width),
                 place(random[3], a.out.height)};
  return change;
}

// Sums of four bytes have the mean 510 and the variance 4 (256^2 - 1) / 12.
constexpr float byte_sum_deviation = 147.80054f;

// pixel / 255 normalized and changed.
struct Shades {
  float factor[3], offset[3];  // normalization as one multiply-add
  float inverse[3];            // of the deviation
  float noise[3];              // of a byte sum's unit
  bool noisy;
  int cutout;  // pixels; 0: none

  template <class T>
  explicit Shades(const Augment<T>& a) : noisy(a.state && a.noise > 0), cutout(a.state ? a.cutout : 0) {
    for (int c = 0; c < 3; ++c) {
      factor[c] = 1 / (255 * a.deviation[c]);
      offset[c] = -a.mean[c] / a.deviation[c];
      inverse[c] = 1 / a.deviation[c];
      noise[c] = a.noise / (byte_sum_deviation * a.deviation[c]);
    }
  }

  ON_ANY_DEVICE float factor_of(const Tone& tone, int channel) const { return choose(factor, channel) * tone.contrast; }
  ON_ANY_DEVICE float offset_of(const Tone& tone, int channel) const {
    return tone.contrast * fmaf(tone.brightness, choose(inverse, channel), choose(offset, channel));
  }
  ON_ANY_DEVICE float operator()(float pixel, const Tone& tone, int channel) const {
    return fmaf(pixel, factor_of(tone, channel), offset_of(tone, channel));
  }
  ON_ANY_DEVICE bool cuts(const Tone& tone, int x, int y) const {
    return x >= tone.left && x < tone.left + cutout && y >= tone.top && y < tone.top + cutout;
  }
  ON_ANY_DEVICE float with_noise(float value, const std::array<std::uint32_t, 4>& random, int channel) const {
    return with_noise(value, channel == 0 ? random[0] : channel == 1 ? random[1] : random[2], channel);
  }
  ON_ANY_DEVICE float with_noise(float value, std::uint32_t bits, int channel) const {
    const std::uint32_t sum = (bits & 255u) + (bits >> 8 & 255u) + (bits >> 16 & 255u) + (bits >> 24);
    return fmaf(static_cast<float>(static_cast<int>(sum) - 510), choose(noise, channel), value);
  }

 private:
  // Chosen and not indexed: a kernel's parameters would be copied to memory for that.
  ON_ANY_DEVICE static float choose(const float (&values)[3], int channel) {
    return channel == 0 ? values[0] : channel == 1 ? values[1] : values[2];
  }
};

// The noise of a pixel: a number per channel.
template <class T>
ON_ANY_DEVICE std::array<std::uint32_t, 4> noise_of(const Augment<T>& a, int image, int x, int y) {
  const std::uint64_t pixel =
      static_cast<std::uint64_t>(y) * static_cast<std::uint64_t>(a.out.width) + static_cast<std::uint64_t>(x);
  return draw(a, image, first_noise_draw + pixel);
}

}  // namespace
}  // namespace preceptor::kernels
