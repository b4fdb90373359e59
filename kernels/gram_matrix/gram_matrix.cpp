// Gram matrices on the cpu: images over threads, each converted to [plane, channels], and oneDNN's matrix product.
#include "kernels/gram_matrix/gram_matrix.h"

#include "kernels/device/cpu_loops.h"
#include "kernels/device/matrix.h"

namespace preceptor::kernels {
namespace {

// Calls move(place in [plane, channels], place in map.data) for the values of an image.
template <class Map, class Move>
void for_each_value(const Map& map, int image, const Move& move) {
  specialize_block(map.block, [&](auto block) {
    for (int b = 0; b < map.channel_blocks(); ++b) {
      const std::size_t first = map.block_offset(image, b);
      for (int i = 0; i < map.plane(); ++i)
        for (int c = 0; c < block; ++c)
          move(static_cast<std::size_t>(i) * map.channels + b * block + c, first + i * block + c);
    }
  });
}

void gather(const FeatureMap<const float>& map, int image, float* rows) {
  for_each_value(map, image, [&](std::size_t to, std::size_t from) { rows[to] = map.data[from]; });
}

// One image has all of oneDNN's threads; of several, each has one.
bool over_images(int images, double operations) {
  return images > 1 && worth_threads(static_cast<std::int64_t>(operations) / 32);
}

}  // namespace

// mapping: an image's product a thread; bytes: maps read twice and written once as rows of channels, which stay in the
// cache; operations: 2 per product; hazard: a map that is both operands is brought there once.
void run_on(Cpu, const GramMatrix<float>& a) {
  const int plane = a.x.plane();
  const bool same = a.x.data == a.y.data;
  const std::size_t of_x = static_cast<std::size_t>(a.x.channels) * plane;
  const std::size_t of_y = static_cast<std::size_t>(a.y.channels) * plane,
                    of_products = static_cast<std::size_t>(a.x.channels) * a.y.channels;
#pragma omp parallel for schedule(static) if (over_images(a.x.images, cost(a).operations))
  for (int image = 0; image < a.x.images; ++image) {
    float* const x = scratch<float>(of_x + of_y);
    float* const y = same ? x : x + of_x;
    float* const products = a.products + static_cast<std::size_t>(image) * of_products;
    gather(a.x, image, x);
    if (!same) gather(a.y, image, y);
    multiply_on_cpu(true, false, a.x.channels, a.y.channels, plane, x, y, 0.0f, products);
    for (std::size_t i = 0; i < of_products; ++i) products[i] *= a.scale;
  }
}

// mapping: as GramMatrix; bytes: other and d_products read, d_x written, both maps once more as rows of channels.
void run_on(Cpu, const GramMatrixBackward<float>& a) {
  const int plane = a.other.plane();
  const std::size_t of_other = static_cast<std::size_t>(a.other.channels) * plane;
#pragma omp parallel for schedule(static) if (over_images(a.other.images, cost(a).operations))
  for (int image = 0; image < a.other.images; ++image) {
    float* const other = scratch<float>(of_other + static_cast<std::size_t>(a.d_x.channels) * plane);
    float* const d_x = other + of_other;
    const float* d_products = a.d_products + static_cast<std::size_t>(image) * a.other.channels * a.d_x.channels;
    gather(a.other, image, other);
    multiply_on_cpu(false, !a.transposed, plane, a.d_x.channels, a.other.channels, other, d_products, 0.0f, d_x);
    for_each_value(a.d_x, image, [&](std::size_t from, std::size_t to) { a.d_x.data[to] = a.scale * d_x[from]; });
  }
}

}  // namespace preceptor::kernels
