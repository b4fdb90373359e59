// Resizes down the columns first, whole rows at a time, then along the few rows that are left.
#include <algorithm>
#include <cmath>

#include "data/images/image.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

// Source pixels and weights of the new pixels of an axis.
struct Axis {
  std::vector<int> first;      // [to] source pixel of the first weight
  std::vector<int> count;      // [to]
  std::vector<float> weights;  // [to, most]
  int most = 0;

  const float* of(int target) const { return weights.data() + static_cast<std::size_t>(target) * most; }
};

Axis triangles(int from, int to) {
  const double scale = static_cast<double>(from) / to, reach = std::max(1.0, scale);
  Axis axis;
  axis.most = static_cast<int>(2 * reach) + 2;
  axis.weights.assign(static_cast<std::size_t>(to) * axis.most, 0.0f);
  for (int i = 0; i < to; ++i) {
    const double center = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - reach + 0.5)),
              end = std::min(from, static_cast<int>(center + reach + 0.5));
    const auto triangle = [&](int source) { return std::max(0.0, 1 - std::abs(source + 0.5 - center) / reach); };
    double sum = 0;
    for (int source = first; source < end; ++source) sum += triangle(source);
    for (int source = first; source < end; ++source)
      axis.weights[static_cast<std::size_t>(i) * axis.most + (source - first)] =
          static_cast<float>(triangle(source) / sum);
    axis.first.push_back(first);
    axis.count.push_back(end - first);
  }
  return axis;
}

// sums += weight * row.
void add_row(const std::uint8_t* __restrict row, float weight, float* __restrict sums, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) sums[i] += weight * static_cast<float>(row[i]);
}

template <int channels>
void narrow_row(const float* row, const Axis& across, std::uint8_t* out, int width) {
  for (int x = 0; x < width; ++x, out += channels) {
    const float* from = row + static_cast<std::size_t>(across.first[x]) * channels;
    const float* weights = across.of(x);
    float sum[channels] = {};
    for (int t = 0; t < across.count[x]; ++t)
      for (int c = 0; c < channels; ++c) sum[c] += weights[t] * from[t * channels + c];
    for (int c = 0; c < channels; ++c) out[c] = static_cast<std::uint8_t>(std::clamp(sum[c] + 0.5f, 0.0f, 255.0f));
  }
}

}  // namespace

Image resized(const Image& image, int height, int width) {
  require(height > 0 && width > 0, "image: a size of ", height, "x", width, " is out of range");
  if (image.height == height && image.width == width) return image;
  const std::size_t row = static_cast<std::size_t>(image.width) * image.channels,
                    new_row = static_cast<std::size_t>(width) * image.channels;
  const Axis across = triangles(image.width, width), down = triangles(image.height, height);
  Image out = filled(height, width, image.channels);
  std::vector<float> sums(row);
  for (int y = 0; y < height; ++y) {
    std::fill(sums.begin(), sums.end(), 0.0f);
    for (int t = 0; t < down.count[y]; ++t)
      add_row(image.pixels.data() + static_cast<std::size_t>(down.first[y] + t) * row, down.of(y)[t], sums.data(), row);
    std::uint8_t* to = out.pixels.data() + y * new_row;
    image.channels == 1 ? narrow_row<1>(sums.data(), across, to, width) : narrow_row<3>(sums.data(), across, to, width);
  }
  return out;
}

}  // namespace preceptor
