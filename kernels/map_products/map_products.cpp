// Products of maps on the cpu: an image at a time in plain order, and oneDNN's matrix product.
#include "kernels/map_products/map_products.h"

#include "kernels/device/lanes.h"
#include "kernels/device/matrix.h"

namespace preceptor::kernels {
namespace {

// Copies an image between its blocks and plain order [channels, plane].
template <class Map, class Move>
void for_each_value(const Map& map, int image, const Move& move) {
#pragma omp parallel for schedule(static) if (worth_threads(map.channels, map.plane()))
  for (int channel = 0; channel < map.channels; ++channel) {
    const std::size_t plain = static_cast<std::size_t>(channel) * map.plane();
    const std::size_t blocked = map.block_offset(image, channel / map.block) + channel % map.block;
    for (int i = 0; i < map.plane(); ++i) move(plain + i, blocked + static_cast<std::size_t>(i) * map.block);
  }
}

void gather(const FeatureMap<const float>& map, int image, float* plain) {
  for_each_value(map, image, [&](std::size_t to, std::size_t from) { plain[to] = map.data[from]; });
}

}  // namespace

// mapping: one product after the other, oneDNN's threads; bytes: maps read twice and written once in plain order;
// operations: 2 per product; hazard: a map that is both factors is brought to plain order once.
void run_on(Cpu, const MapProducts<float>& a) {
  const int plane = a.x.plane();
  const bool same = a.x.data == a.y.data;
  const std::size_t of_x = static_cast<std::size_t>(a.x.channels) * plane;
  const std::size_t of_y = static_cast<std::size_t>(a.y.channels) * plane,
                    of_products = static_cast<std::size_t>(a.x.channels) * a.y.channels;
  float* const x = scratch<float>(of_x + of_y);
  float* const y = same ? x : x + of_x;
  for (int image = 0; image < a.x.images; ++image) {
    float* const products = a.products + static_cast<std::size_t>(image) * of_products;
    gather(a.x, image, x);
    if (!same) gather(a.y, image, y);
    multiply_on_cpu(false, true, a.x.channels, a.y.channels, plane, x, y, 0.0f, products);
    for (std::size_t i = 0; i < of_products; ++i) products[i] *= a.scale;
  }
}

// mapping: as MapProducts; bytes: other and d_products read, d_x written, both maps once more in plain order.
void run_on(Cpu, const MapProductsBackward<float>& a) {
  const int plane = a.other.plane();
  const std::size_t of_other = static_cast<std::size_t>(a.other.channels) * plane;
  float* const other = scratch<float>(of_other + static_cast<std::size_t>(a.d_x.channels) * plane);
  float* const d_x = other + of_other;
  for (int image = 0; image < a.other.images; ++image) {
    const float* d_products = a.d_products + static_cast<std::size_t>(image) * a.other.channels * a.d_x.channels;
    gather(a.other, image, other);
    multiply_on_cpu(a.transposed, false, a.d_x.channels, plane, a.other.channels, d_products, other, 0.0f, d_x);
    for_each_value(a.d_x, image, [&](std::size_t from, std::size_t to) { a.d_x.data[to] = a.scale * d_x[from]; });
  }
}

template <class T>
Cost cost(const MapProducts<T>& a) {
  const double products = static_cast<double>(a.x.images) * a.x.channels * a.y.channels;
  return {static_cast<double>(a.x.elements() + a.y.elements()) * sizeof(T) + products * sizeof(float),
          2 * products * a.x.plane()};
}
template <class T>
Cost cost(const MapProductsBackward<T>& a) {
  const double products = static_cast<double>(a.other.images) * a.other.channels * a.d_x.channels;
  return {static_cast<double>(a.other.elements() + a.d_x.elements()) * sizeof(T) + products * sizeof(float),
          2 * products * a.other.plane()};
}
template Cost cost(const MapProducts<float>&);
template Cost cost(const MapProducts<bfloat16>&);
template Cost cost(const MapProductsBackward<float>&);
template Cost cost(const MapProductsBackward<bfloat16>&);

}  // namespace preceptor::kernels
