// Augmentation on the cpu: each output row is read from one row of the stored image, at most flipped and clamped.
#include "kernels/augment/augment.h"

#include <algorithm>

#include "kernels/device/lanes.h"
#include "kernels/device/philox.h"

namespace preceptor::kernels {
namespace {

struct Motion {
  bool flip = false;
  int right = 0, down = 0;  // the content moves by so many pixels
};

Motion motion_of(const Augment& a, int image) {
  if (!a.state) return {};
  const auto random =
      philox(a.state->seed, static_cast<std::uint64_t>(a.state->step), static_cast<std::uint64_t>(image));
  const std::uint32_t choices = 2 * static_cast<std::uint32_t>(a.shift) + 1;
  Motion motion;
  motion.flip = a.flip && random[0] >> 31 != 0;
  motion.right = static_cast<int>(random[1] % choices) - a.shift;
  motion.down = static_cast<int>(random[2] % choices) - a.shift;
  return motion;
}

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
void write_plane(const Augment& a, const std::uint8_t* image, int channel, float* out, const Motion& motion) {
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

template <int channels>
void write_image(const Augment& a, int image) {
  const Motion motion = motion_of(a, image);
  const std::uint8_t* pixels = a.images + static_cast<std::ptrdiff_t>(image) * a.out.plane() * channels;
  for (int channel = 0; channel < channels; ++channel) {
    float* out = a.out.data + a.out.offset(image, channel, 0, 0);
    if (a.out.block == 1)
      write_plane<channels, 1>(a, pixels, channel, out, motion);
    else
      write_plane<channels, channels>(a, pixels, channel, out, motion);
  }
}

}  // namespace

// mapping: a thread per image; bytes: a byte read and a float written per value; operations: 2 per value; hazard: the
// random numbers are a function of (seed, step, image) alone, so replay and threads change nothing.
void run_on(Cpu, const Augment& a) {
#pragma omp parallel for schedule(static) if (worth_threads(a.out.elements()))
  for (int image = 0; image < a.out.images; ++image) {
    if (a.out.channels == 1)
      write_image<1>(a, image);
    else if (a.out.channels == 2)
      write_image<2>(a, image);
    else
      write_image<3>(a, image);
  }
}

Cost cost(const Augment& a) {
  const double values = static_cast<double>(a.out.elements());
  return {values * (sizeof(float) + 1), 2 * values};
}

}  // namespace preceptor::kernels
