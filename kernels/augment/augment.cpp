// Augmentation on the cpu: an output row is read from one row of the stored image, at most flipped and clamped; or,
// when it is read between pixels, pixel by pixel.
#include "kernels/augment/augment.h"

#include <algorithm>

#include "kernels/augment/tone.h"
#include "kernels/device/lanes.h"

namespace preceptor::kernels {
namespace {

// One row of one channel: out[x * stride] = pixel of the moved row * factor + offset. The constants of the template
// let the compiler use vector loads with a fixed pattern; `first` is the pixel that lands at x = 0 when nothing is
// shifted.
template <int step, int stride>
void write_row(const std::uint8_t* first, float* out, int width, int right, float factor, float offset) {
  const auto value = [&](int x) { return static_cast<float>(first[x * step]) * factor + offset; };
  const int begin = std::max(right, 0), end = std::min(width + right, width);
  for (int x = 0; x < begin; ++x) out[x * stride] = value(0);
#pragma omp simd
  for (int x = begin; x < end; ++x) out[x * stride] = value(x - right);
  for (int x = end; x < width; ++x) out[x * stride] = value(width - 1);
}

// What is done with the row y of a channel once it is written: noise, and the square.
template <int stride>
void finish_row(const Augment<float>& a, const Shades& shades, const Tone& tone, int image, int channel, int y,
                float* out) {
  const int width = a.out.width;
  if (shades.noisy)
    for (int x = 0; x < width; ++x)
      out[x * stride] = shades.with_noise(out[x * stride], noise_of(a, image, x, y), channel);
  if (y < tone.top || y >= tone.top + shades.cutout) return;
  const int begin = std::max(tone.left, 0), end = std::min(tone.left + shades.cutout, width);
  for (int x = begin; x < end; ++x) out[x * stride] = 0;
}

// Rows of one channel of one image.
template <int channels, int stride>
void write_plane(const Augment<float>& a, const Shades& shades, const std::uint8_t* pixels, int image, int channel,
                 float* out, const Change& change) {
  const int width = a.out.width, height = a.out.height;
  const int right = static_cast<int>(change.motion.right >> pixel_bits),
            down = static_cast<int>(change.motion.down >> pixel_bits);
  const float factor = shades.factor_of(change.tone, channel), offset = shades.offset_of(change.tone, channel);
  for (int y = 0; y < height; ++y, out += static_cast<std::ptrdiff_t>(width) * stride) {
    const int from = std::clamp(y - down, 0, height - 1);
    const std::uint8_t* row = pixels + static_cast<std::ptrdiff_t>(from) * width * channels + channel;
    if (change.motion.flip)
      write_row<-channels, stride>(row + static_cast<std::ptrdiff_t>(width - 1) * channels, out, width, right, factor,
                                   offset);
    else
      write_row<channels, stride>(row, out, width, right, factor, offset);
    finish_row<stride>(a, shades, change.tone, image, channel, y, out);
  }
}

// An image that is read between pixels.
template <int channels>
void sample_image(const Augment<float>& a, const Shades& shades, const std::uint8_t* pixels, int image,
                  const Change& change) {
  const int width = a.out.width, height = a.out.height;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const Neighbours row(change.motion.row(x, y, height, width), height);
      Neighbours column(change.motion.column(x, y, height, width), width);
      if (change.motion.flip) flip(column, width);
      const auto noise = shades.noisy ? noise_of(a, image, x, y) : std::array<std::uint32_t, 4>{};
      const bool cut = shades.cuts(change.tone, x, y);
      for (int channel = 0; channel < channels; ++channel) {
        float value = shades(sample<channels>(pixels, width, row, column, channel), change.tone, channel);
        if (shades.noisy) value = shades.with_noise(value, noise, channel);
        a.out.data[a.out.offset(image, channel, y, x)] = cut ? 0 : value;
      }
    }
}

template <int channels>
void write_image(const Augment<float>& a, const Shades& shades, int image) {
  const Change change = change_of(a, image);
  const std::uint8_t* pixels = stored_image(a, image);
  if (a.between_pixels()) return sample_image<channels>(a, shades, pixels, image, change);
  for (int channel = 0; channel < channels; ++channel) {
    float* out = a.out.data + a.out.offset(image, channel, 0, 0);
    if (a.out.block == 1)
      write_plane<channels, 1>(a, shades, pixels, image, channel, out, change);
    else
      write_plane<channels, channels>(a, shades, pixels, image, channel, out, change);
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
    if (a.out.channels == 1)
      write_image<1>(a, shades, image);
    else if (a.out.channels == 2)
      write_image<2>(a, shades, image);
    else
      write_image<3>(a, shades, image);
  }
}

template <class T>
Cost cost(const Augment<T>& a) {
  const double values = static_cast<double>(a.out.elements()),
               pixels = static_cast<double>(a.out.images) * a.out.plane();
  double operations = a.between_pixels() ? 8 * values + 40 * pixels : 2 * values;
  if (a.state && a.noise > 0) operations += 3 * values + 80 * pixels;
  return {values * (sizeof(T) + 1), operations};
}
template Cost cost(const Augment<float>&);
template Cost cost(const Augment<bfloat16>&);

}  // namespace preceptor::kernels
