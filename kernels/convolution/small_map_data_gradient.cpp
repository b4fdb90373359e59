// Data gradient as products of weight rows with output channels, summed over these at the end.
#include "kernels/convolution/cpu_algorithms.h"

#include <vector>

namespace preceptor::kernels {
namespace {

template <int block>
struct Vector {
  typedef float Values __attribute__((vector_size(4 * block)));
};

// A kernel tap that reaches an input pixel, and the output pixel it comes from.
struct Reach {
  int tap, position;
};

void find_reaches(const ConvolutionDataGradient<float>& a, int y, int x, std::vector<Reach>& reaches) {
  const ConvolutionGeometry& g = a.geometry;
  reaches.clear();
  for (int ky = 0; ky < g.kernel_height; ++ky)
    for (int kx = 0; kx < g.kernel_width; ++kx) {
      const int from_y = y + g.padding - ky, from_x = x + g.padding - kx;
      if (from_y < 0 || from_x < 0 || from_y % g.stride != 0 || from_x % g.stride != 0) continue;
      const int oy = from_y / g.stride, ox = from_x / g.stride;
      if (oy < a.d_y.height && ox < a.d_y.width) reaches.push_back({ky * g.kernel_width + kx, oy * a.d_y.width + ox});
    }
}

// d_x of one pixel and channel block in `images` images. Mapping: 4 rows of the weight tile times the output channels
// of the images, 4 x images sums in registers while all output blocks and taps pass by: 4 + images loads for 4 x images
// multiply-adds. The output channels are added up once at the end.
template <int block, int images>
void gradient_of_pixel(const ConvolutionDataGradient<float>& a, int first_image, int in_block, int pixel,
                       const std::vector<Reach>& reaches) {
  using Values = typename Vector<block>::Values;
  constexpr int rows = 4;
  const int taps = a.geometry.kernel_height * a.geometry.kernel_width;
  const int in_blocks = a.d_x.channel_blocks(), out_blocks = a.d_y.channel_blocks();
  for (int row = 0; row < block; row += rows) {
    Values sums[rows][images] = {};
    for (int out_block = 0; out_block < out_blocks; ++out_block)
      for (const Reach& reach : reaches) {
        const std::size_t tile = (static_cast<std::size_t>(out_block) * in_blocks + in_block) * taps + reach.tap;
        const auto* weight = reinterpret_cast<const Values*>(a.weight + tile * block * block) + row;
        for (int image = 0; image < images; ++image) {
          const float* d_y = a.d_y.block_data(first_image + image, out_block) + reach.position * block;
          const Values d = *reinterpret_cast<const Values*>(d_y);
          for (int r = 0; r < rows; ++r) sums[r][image] += weight[r] * d;
        }
      }
    for (int image = 0; image < images; ++image) {
      float* d_x = a.d_x.block_data(first_image + image, in_block) + pixel * block + row;
      for (int r = 0; r < rows; ++r) {
        float sum = 0;
        for (int i = 0; i < block; ++i) sum += sums[r][image][i];
        d_x[r] = sum;
      }
    }
  }
}

template <int block>
void gradient_of_map(const ConvolutionDataGradient<float>& a) {
  constexpr int together = block / 4;  // 16 vectors of sums with AVX-512, 8 with AVX2
#pragma omp parallel
  {
    std::vector<Reach> reaches;
    reaches.reserve(static_cast<std::size_t>(a.geometry.kernel_height * a.geometry.kernel_width));
#pragma omp for schedule(static)
    for (int in_block = 0; in_block < a.d_x.channel_blocks(); ++in_block)
      for (int pixel = 0; pixel < a.d_x.plane(); ++pixel) {
        find_reaches(a, pixel / a.d_x.width, pixel % a.d_x.width, reaches);
        int image = 0;
        for (; image + together <= a.d_x.images; image += together)
          gradient_of_pixel<block, together>(a, image, in_block, pixel, reaches);
        for (; image < a.d_x.images; ++image) gradient_of_pixel<block, 1>(a, image, in_block, pixel, reaches);
      }
  }
}

}  // namespace

bool small_map_data_gradient_pays(const ConvolutionDataGradient<float>& a) {
  return a.d_y.plane() <= 4 && a.d_x.block == a.d_y.block && a.d_x.block > 1;
}

void small_map_data_gradient(const ConvolutionDataGradient<float>& a) {
  if (a.d_x.block == 16)
    gradient_of_map<16>(a);
  else
    gradient_of_map<8>(a);
}

}  // namespace preceptor::kernels
