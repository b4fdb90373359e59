// The fusion of two maps on the cpu: a thread takes rows of images.
#include "kernels/attention_fusion/attention_fusion.h"

#include <algorithm>
#include <cmath>

#include "kernels/device/cpu_loops.h"

namespace preceptor::kernels {
namespace {

// The attention of a row's first pixel, and the distance between pixels.
const float* attention_row(const FeatureMap<const float>& map, int image, int which, int row) {
  return map.data + map.offset(image, which, row, 0);
}

double weight_of(float attention) { return 1 / (1 + std::exp(-static_cast<double>(attention))); }

// The weights of a row's pixels: of x, then of y.
double* weights_of_row(const FeatureMap<const float>& map, int image, int row) {
  double* weights = scratch<double>(4 * static_cast<std::size_t>(map.width));
  for (int which = 0; which < 2; ++which) {
    const float* attention = attention_row(map, image, which, row);
    for (int i = 0; i < map.width; ++i)
      weights[which * map.width + i] = weight_of(attention[static_cast<std::ptrdiff_t>(i) * map.block]);
  }
  return weights;
}

}  // namespace

// mapping: a thread per row of an image, block of channels by block; bytes: x, y and attention read, out written;
// operations: 3 per value, 2 exponentials per pixel.
void run_on(Cpu, const AttentionFusion<float>& a) {
  const int width = a.x.width, block = a.x.block;
#pragma omp parallel for schedule(static) if (worth_threads(static_cast <std::int64_t>(a.x.elements())))
  for (int task = 0; task < a.x.images * a.x.height; ++task) {
    const int image = task / a.x.height, row = task % a.x.height;
    const double* weights = weights_of_row(a.attention, image, row);
    for (int b = 0; b < a.x.channel_blocks(); ++b) {
      const std::size_t at = a.x.offset(image, b * block, row, 0);
      for (int i = 0; i < width; ++i) {
        const auto of_x = static_cast<float>(weights[i]), of_y = static_cast<float>(weights[width + i]);
        const std::size_t pixel = at + static_cast<std::size_t>(i) * block;
        for (int c = 0; c < block; ++c) a.out.data[pixel + c] = a.x.data[pixel + c] * of_x + a.y.data[pixel + c] * of_y;
      }
    }
  }
}

// mapping: as forward; bytes: x, y, attention and d_out read, the three derivatives written; operations: 6 per value;
// hazard: a pixel's sum over the channels is taken in double, for there may be thousands.
void run_on(Cpu, const AttentionFusionBackward<float>& a) {
  const int width = a.x.width, block = a.x.block;
#pragma omp parallel for schedule(static) if (worth_threads(static_cast <std::int64_t>(a.x.elements()), 2))
  for (int task = 0; task < a.x.images * a.x.height; ++task) {
    const int image = task / a.x.height, row = task % a.x.height;
    double *weights = weights_of_row(a.attention, image, row), *sums = weights + 2 * width;
    std::fill_n(sums, 2 * width, 0.0);
    for (int b = 0; b < a.x.channel_blocks(); ++b) {
      const std::size_t at = a.x.offset(image, b * block, row, 0);
      for (int i = 0; i < width; ++i) {
        const auto of_x = static_cast<float>(weights[i]), of_y = static_cast<float>(weights[width + i]);
        const std::size_t pixel = at + static_cast<std::size_t>(i) * block;
        for (int c = 0; c < block; ++c) {
          const float d_out = a.d_out.data[pixel + c];
          a.d_x.data[pixel + c] = d_out * of_x;
          a.d_y.data[pixel + c] = d_out * of_y;
          sums[i] += static_cast<double>(d_out) * static_cast<double>(a.x.data[pixel + c]);
          sums[width + i] += static_cast<double>(d_out) * static_cast<double>(a.y.data[pixel + c]);
        }
      }
    }
    for (int which = 0; which < 2; ++which) {
      float* d_attention = a.d_attention.data + a.d_attention.offset(image, which, row, 0);
      for (int i = 0; i < width; ++i) {
        const double weight = weights[which * width + i];
        d_attention[static_cast<std::ptrdiff_t>(i) * a.d_attention.block] =
            static_cast<float>(weight * (1 - weight) * sums[which * width + i]);
      }
    }
  }
}

}  // namespace preceptor::kernels
