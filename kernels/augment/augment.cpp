// Augmentation on the cpu, row by row: an output row is one row of the stored image, at most flipped and clamped, or is
// read between pixels.
#include "kernels/augment/augment.h"

#include <algorithm>

#include "kernels/augment/tone.h"
#include "kernels/device/cpu_loops.h"

namespace preceptor::kernels {
namespace {

// One row of one channel: out[x * stride] = pixel of the moved row * factor + offset. The constants of the template
// let the compiler use vector loads with a fixed pattern; `first` is the pixel that lands at x = 0
// when nothing is shifted.
template <int step, int stride>
void write_row(const std::uint8_t* first, float* out, int width, int right, float factor, float offset) {
  const auto value = [&](int x) { return static_cast<float>(first[x * step]) * factor + offset; };
  const int begin = std::max(right, 0), end = std::min(width + right, width);
  for (int x = 0; x < begin; ++x) out[x * stride] = value(0);
#pragma omp simd
  for (int x = begin; x < end; ++x) out[x * stride] = value(x - right);
  for (int x = end; x < width; ++x) out[x * stride] = value(width - 1);
}

// The row y of all channels, moved by whole pixels.
template <int channels, int stride>
void move_row(const Change& change, const Shades& shades, const std::uint8_t* pixels, int width, int height, int y,
              float* const (&out)[channels]) {
  const int right = static_cast<int>(change.motion.right >> pixel_bits),
            down = static_cast<int>(change.motion.down >> pixel_bits);
  const int from = std::clamp(y - down, 0, height - 1);
  for (int channel = 0; channel < channels; ++channel) {
    const float factor = shades.factor_of(change.tone, channel), offset = shades.offset_of(change.tone, channel);
    const std::uint8_t* row = pixels + static_cast<std::ptrdiff_t>(from) * width * channels + channel;
    if (change.motion.flip)
      write_row<-channels, stride>(row + static_cast<std::ptrdiff_t>(width - 1) * channels, out[channel], width, right,
                                   factor, offset);
    else
      write_row<channels, stride>(row, out[channel], width, right, factor, offset);
  }
}

// The row y of all channels, between pixels: where they lie first, then their values, channel by channel.
template <int channels, int stride>
void sample_row(const Change& change, const Shades& shades, const std::uint8_t* pixels, int width, int height, int y,
                float* const (&out)[channels]) {
  const Motion& motion = change.motion;
  for_each_group(width, [&](int first, auto count) {
    std::int64_t corner[4][chunk_size];
    float right[chunk_size], down[chunk_size];
    for (int i = 0; i < count; ++i) {
      const Neighbors row(motion.row(first + i, y, height, width), height);
      Neighbors column(motion.column(first + i, y, height, width), width);
      if (motion.flip) flip(column, width);
      for (int j = 0; j < 4; ++j)
        corner[j][i] =
            (std::int64_t{j < 2 ? row.first : row.second} * width + (j % 2 ? column.second : column.first)) * channels;
      right[i] = column.weight;
      down[i] = row.weight;
    }
    for (int channel = 0; channel < channels; ++channel) {
      const float factor = shades.factor_of(change.tone, channel), offset = shades.offset_of(change.tone, channel);
      const auto at = [&](int j, int i) { return static_cast<float>(pixels[corner[j][i] + channel]); };
      float* to = out[channel] + first * stride;
      for (int i = 0; i < count; ++i) {
        const float above = interpolate(at(0, i), at(1, i), right[i]),
                    below = interpolate(at(2, i), at(3, i), right[i]);
        to[i * stride] = fmaf(interpolate(above, below, down[i]), factor, offset);
      }
    }
  });
}

// Finishes row y once it is written: noise, whose numbers serve all channels of a pixel, and the square.
template <int channels, int stride>
void finish_row(const Augment<float>& a, const Shades& shades, const Tone& tone, int image, int y,
                float* const (&out)[channels]) {
  const int width = a.out.width;
  if (shades.noisy)
    for_each_group(width, [&](int first, auto count) {
      std::uint32_t bits[4][chunk_size];
      for (int i = 0; i < count; ++i) {
        const auto random = noise_of(a, image, first + i, y);
        for (int j = 0; j < 4; ++j) bits[j][i] = random[j];
      }
      for (int channel = 0; channel < channels; ++channel) {
        float* to = out[channel] + first * stride;
        for (int i = 0; i < count; ++i) to[i * stride] = shades.with_noise(to[i * stride], bits[channel][i], channel);
      }
    });
  if (y < tone.top || y >= tone.top + shades.cutout) return;
  const int begin = std::max(tone.left, 0), end = std::min(tone.left + shades.cutout, width);
  for (float* to : out)
    for (int x = begin; x < end; ++x) to[x * stride] = 0;
}

template <int channels, int stride>
void write_image(const Augment<float>& a, const Shades& shades, int image) {
  const Change change = change_of(a, image);
  const std::uint8_t* pixels = stored_image(a, image);
  const int width = a.out.width, height = a.out.height;
  float* out[channels];
  for (int channel = 0; channel < channels; ++channel) out[channel] = a.out.data + a.out.offset(image, channel, 0, 0);
  for (int y = 0; y < height; ++y) {
    if (a.between_pixels())
      sample_row<channels, stride>(change, shades, pixels, width, height, y, out);
    else
      move_row<channels, stride>(change, shades, pixels, width, height, y, out);
    finish_row<channels, stride>(a, shades, change.tone, image, y, out);
    for (float*& row : out) row += static_cast<std::ptrdiff_t>(width) * stride;
  }
}

}  // namespace

// mapping: a thread per image; bytes: a byte read and a float written per value; operations: 2 per value, 8 and 40 per
// pixel between pixels, noise 3 more and 80 per pixel; hazard: the random numbers are a function of (seed, step, image)
// alone, so replay and threads change nothing.
void run_on(Cpu, const Augment<float>& a) {
  const Shades shades(a);
  const int work = a.between_pixels() || shades.noisy ? 16 : 1;
#pragma omp parallel for schedule(static) if (worth_threads(a.out.elements(), 1, work))
  for (int image = 0; image < a.out.images; ++image) {
    const bool planes = a.out.block == 1;
    if (a.out.channels == 1)
      write_image<1, 1>(a, shades, image);
    else if (a.out.channels == 2)
      planes ? write_image<2, 1>(a, shades, image) : write_image<2, 2>(a, shades, image);
    else
      planes ? write_image<3, 1>(a, shades, image) : write_image<3, 3>(a, shades, image);
  }
}

}  // namespace preceptor::kernels
