// Augmentation on the cpu: an output row is read from one row of the stored image, at most flipped and clamped; or,
// when images are rotated or scaled, pixel by pixel.
#include "kernels/augment/augment.h"

#include <algorithm>

#include "kernels/augment/motion.h"
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

// Rows of one channel of one image.
template <int channels, int stride>
void write_plane(const Augment<float>& a, const std::uint8_t* image, int channel, float* out, const Motion& motion) {
  const int width = a.out.width, height = a.out.height;
  const float factor = 1 / (255 * a.deviation[channel]), offset = -a.mean[channel] / a.deviation[channel];
  for (int y = 0; y < height; ++y, out += static_cast<std::ptrdiff_t>(width) * stride) {
    const int from = std::clamp(y - motion.down, 0, height - 1);
    const std::uint8_t* row = image + static_cast<std::ptrdiff_t>(from) * width * channels + channel;
    if (motion.flip)
      write_row<-channels, stride>(row + static_cast<std::ptrdiff_t>(width - 1) * channels, out, width, motion.right,
                                   factor, offset);
    else
      write_row<channels, stride>(row, out, width, motion.right, factor, offset);
  }
}

// An image that is read between pixels.
template <int channels>
void sample_image(const Augment<float>& a, int image, const std::uint8_t* pixels, const Motion& motion) {
  const Normalisation normalisation(a);
  const int width = a.out.width, height = a.out.height;
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const Neighbours row(motion.row(x, y, height, width), height);
      Neighbours column(motion.column(x, y, height, width), width);
      if (motion.flip) flip(column, width);
      for (int channel = 0; channel < channels; ++channel)
        a.out.data[a.out.offset(image, channel, y, x)] =
            normalisation(sample<channels>(pixels, width, row, column, channel), channel);
    }
}

template <int channels>
void write_image(const Augment<float>& a, int image) {
  const Motion motion = motion_of(a, image);
  const std::uint8_t* pixels = a.images + static_cast<std::ptrdiff_t>(image) * a.out.plane() * channels;
  if (a.between_pixels()) return sample_image<channels>(a, image, pixels, motion);
  for (int channel = 0; channel < channels; ++channel) {
    float* out = a.out.data + a.out.offset(image, channel, 0, 0);
    if (a.out.block == 1)
      write_plane<channels, 1>(a, pixels, channel, out, motion);
    else
      write_plane<channels, channels>(a, pixels, channel, out, motion);
  }
}

}  // namespace

// mapping: a thread per image; bytes: a byte read and a float written per value; operations: 2 per value, 8 and 40 per
// pixel between pixels; hazard: the random numbers are a function of (seed, step, image) alone, so replay and threads
// change nothing.
void run_on(Cpu, const Augment<float>& a) {
#pragma omp parallel for schedule(static) if (worth_threads(a.out.elements(), 1, a.between_pixels() ? 16 : 1))
  for (int image = 0; image < a.out.images; ++image) {
    if (a.out.channels == 1)
      write_image<1>(a, image);
    else if (a.out.channels == 2)
      write_image<2>(a, image);
    else
      write_image<3>(a, image);
  }
}

template <class T>
Cost cost(const Augment<T>& a) {
  const double values = static_cast<double>(a.out.elements()),
               pixels = static_cast<double>(a.out.images) * a.out.plane();
  return {values * (sizeof(T) + 1), a.between_pixels() ? 8 * values + 40 * pixels : 2 * values};
}
template Cost cost(const Augment<float>&);
template Cost cost(const Augment<bfloat16>&);

}  // namespace preceptor::kernels
