// The disc found by its lit rows and columns; a separable Gaussian for the local mean.
#include "data/images/fundus.h"

#include <algorithm>
#include <cmath>

namespace preceptor {
namespace {

constexpr int lit_value = 12, lit_share = 50;

struct Range {
  int first = 0, count = 0;
};

// From the first to the last entry that is large enough.
Range lit_range(const std::vector<int>& lit, int of) {
  Range range;
  for (int i = 0; i < static_cast<int>(lit.size()); ++i) {
    if (lit[i] * lit_share < of) continue;
    if (range.count == 0) range.first = i;
    range.count = i + 1 - range.first;
  }
  return range;
}

// Weights of a Gaussian that ends at three deviations.
std::vector<float> gaussian(double deviation) {
  const int reach = std::max(1, static_cast<int>(std::ceil(3 * deviation)));
  std::vector<float> weights;
  double sum = 0;
  for (int i = -reach; i <= reach; ++i) sum += std::exp(-0.5 * i * i / (deviation * deviation));
  for (int i = -reach; i <= reach; ++i)
    weights.push_back(static_cast<float>(std::exp(-0.5 * i * i / (deviation * deviation)) / sum));
  return weights;
}

// Along one axis: `count` values with `stride` between them, for each of the lines that begin at `lines`.
void blur_axis(std::vector<float>& values, int count, std::size_t stride, int lines, std::size_t line_stride,
               const std::vector<float>& weights) {
  const int reach = static_cast<int>(weights.size() / 2);
  std::vector<float> line(count);
  for (int l = 0; l < lines; ++l) {
    float* first = values.data() + static_cast<std::size_t>(l) * line_stride;
    for (int i = 0; i < count; ++i) line[i] = first[i * stride];
    for (int i = 0; i < count; ++i) {
      float sum = 0;
      for (int k = -reach; k <= reach; ++k) sum += weights[k + reach] * line[std::clamp(i + k, 0, count - 1)];
      first[i * stride] = sum;
    }
  }
}

}  // namespace

Image cropped_to_disc(const Image& image) {
  const Image grey = with_channels(image, 1);
  std::vector<int> in_row(image.height, 0), in_column(static_cast<std::size_t>(image.width), 0);
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x)
      if (grey.pixels[static_cast<std::size_t>(y) * image.width + x] > lit_value) {
        ++in_row[y];
        ++in_column[x];
      }
  const Range rows = lit_range(in_row, image.width), columns = lit_range(in_column, image.height);
  if (rows.count == 0 || columns.count == 0) return image;
  const int side = std::max(rows.count, columns.count);
  const int top = (side - rows.count) / 2, left = (side - columns.count) / 2;
  Image lit = filled(rows.count, columns.count, image.channels), square = filled(side, side, image.channels);
  paste(image, lit, -rows.first, -columns.first);
  paste(lit, square, top, left);
  return square;
}

Image without_local_mean(const Image& image) {
  const double radius = 0.5 * std::min(image.height, image.width);
  const std::vector<float> weights = gaussian(radius / 30);
  const auto channels = static_cast<std::size_t>(image.channels), row = image.width * channels;
  std::vector<float> mean(image.pixels.begin(), image.pixels.end());
  for (std::size_t c = 0; c < channels; ++c) {
    std::vector<float> plane(static_cast<std::size_t>(image.height) * image.width);
    for (std::size_t i = 0; i < plane.size(); ++i) plane[i] = mean[i * channels + c];
    blur_axis(plane, image.width, 1, image.height, static_cast<std::size_t>(image.width), weights);
    blur_axis(plane, image.height, static_cast<std::size_t>(image.width), image.width, 1, weights);
    for (std::size_t i = 0; i < plane.size(); ++i) mean[i * channels + c] = plane[i];
  }
  Image out = image;
  for (int y = 0; y < image.height; ++y)
    for (int x = 0; x < image.width; ++x) {
      const double down = y + 0.5 - 0.5 * image.height, across = x + 0.5 - 0.5 * image.width;
      const bool inside = down * down + across * across <= 0.81 * radius * radius;
      for (std::size_t c = 0; c < channels; ++c) {
        const std::size_t i = static_cast<std::size_t>(y) * row + static_cast<std::size_t>(x) * channels + c;
        const float value = 4 * (static_cast<float>(image.pixels[i]) - mean[i]) + 128;
        out.pixels[i] = inside ? static_cast<std::uint8_t>(std::clamp(value + 0.5f, 0.0f, 255.0f)) : 128;
      }
    }
  return out;
}

}  // namespace preceptor
