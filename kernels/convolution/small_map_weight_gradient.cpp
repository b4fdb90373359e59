// Weight gradient as outer products: every tap of every pair of channel blocks is one block x block tile of registers.
#include "kernels/convolution/cpu_algorithms.h"

#include <algorithm>

namespace preceptor::kernels {
namespace {

template <int block>
struct Tile {
  typedef float Values __attribute__((vector_size(4 * block)));
  Values row[block];
};

struct Range {
  int begin, end;
};

// Output positions whose input position under kernel position k lies inside the map, in one direction.
Range inside(int k, int in_size, int out_size, const ConvolutionGeometry& g) {
  Range range{0, out_size};
  while (range.begin < out_size && range.begin * g.stride - g.padding + k < 0) ++range.begin;
  while (range.end > range.begin && (range.end - 1) * g.stride - g.padding + k >= in_size) --range.end;
  return range;
}

// One pair of channel blocks, all taps. Mapping: the tile d_weight[in][out channels] stays in `block` vector registers
// while all images and the pixels under this tap pass by: one load of d_y and `block` broadcasts of x for
// `block` fused multiply-adds, so the arithmetic units are the limit, not the caches.
template <int block>
void accumulate_pair(const ConvolutionWeightGradient<float>& a, int out_block, int in_block) {
  using Values = typename Tile<block>::Values;
  const ConvolutionGeometry& g = a.geometry;
  const int taps = g.kernel_height * g.kernel_width;
  float* to =
      a.d_weight + (static_cast<std::size_t>(out_block) * a.x.channel_blocks() + in_block) * taps * block * block;
  for (int ky = 0; ky < g.kernel_height; ++ky)
    for (int kx = 0; kx < g.kernel_width; ++kx, to += block * block) {
      Tile<block> tile{};
      const auto [y0, y1] = inside(ky, a.x.height, a.d_y.height, g);
      const auto [x0, x1] = inside(kx, a.x.width, a.d_y.width, g);
      for (int image = 0; image < a.x.images; ++image) {
        const float* x = a.x.block_data(image, in_block);
        const float* d_y = a.d_y.block_data(image, out_block);
        for (int oy = y0; oy < y1; ++oy)
          for (int ox = x0; ox < x1; ++ox) {
            const Values d = *reinterpret_cast<const Values*>(d_y + (oy * a.d_y.width + ox) * block);
            const float* in =
                x + ((oy * g.stride - g.padding + ky) * a.x.width + ox * g.stride - g.padding + kx) * block;
#pragma GCC unroll 16
            for (int i = 0; i < block; ++i) tile.row[i] += in[i] * d;
          }
      }
      for (int i = 0; i < block; ++i) *reinterpret_cast<Values*>(to + i * block) = tile.row[i];
    }
}

template <int block>
void accumulate_all(const ConvolutionWeightGradient<float>& a) {
  const int out_blocks = a.d_y.channel_blocks(), in_blocks = a.x.channel_blocks();
#pragma omp parallel for collapse(2) schedule(static)
  for (int out_block = 0; out_block < out_blocks; ++out_block)
    for (int in_block = 0; in_block < in_blocks; ++in_block) accumulate_pair<block>(a, out_block, in_block);
}

}  // namespace

bool small_map_weight_gradient_pays(const ConvolutionWeightGradient<float>& a) {
  return a.d_bias == nullptr && a.d_y.plane() <= 16 && a.x.block == a.d_y.block && a.x.block > 1;
}

void small_map_weight_gradient(const ConvolutionWeightGradient<float>& a) {
  if (a.x.block == 16)
    accumulate_all<16>(a);
  else
    accumulate_all<8>(a);
}

}  // namespace preceptor::kernels
