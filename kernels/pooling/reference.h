// The pooling family as plain loops over plain-order arrays: the specification that every device is tested against.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace preceptor::kernels::reference {

// Arrays are [planes, height, width] and [planes, out_height(), out_width()]; planes = images * channels.
struct PoolSizes {
  int planes, height, width;
  int window, stride, padding;

  int out(int size) const { return (size + 2 * padding - window) / stride + 1; }
  int out_height() const { return out(height); }
  int out_width() const { return out(width); }
  std::size_t x_elements() const { return static_cast<std::size_t>(planes) * height * width; }
  std::size_t y_elements() const { return static_cast<std::size_t>(planes) * out_height() * out_width(); }
};

// Calls visit(position in x, position in y, row * window + column) for the window positions that are not padding, each
// window from its first position to its last.
template <class Visit>
void for_each_position(const PoolSizes& s, const Visit& visit) {
  for (int plane = 0; plane < s.planes; ++plane)
    for (int oy = 0; oy < s.out_height(); ++oy)
      for (int ox = 0; ox < s.out_width(); ++ox)
        for (int ky = 0; ky < s.window; ++ky)
          for (int kx = 0; kx < s.window; ++kx) {
            const int y = oy * s.stride - s.padding + ky, x = ox * s.stride - s.padding + kx;
            if (y < 0 || y >= s.height || x < 0 || x >= s.width) continue;
            visit((static_cast<std::size_t>(plane) * s.height + y) * s.width + x,
                  (static_cast<std::size_t>(plane) * s.out_height() + oy) * s.out_width() + ox, ky * s.window + kx);
          }
}

template <class T>
struct MaxPoolResult {
  std::vector<T> y;
  std::vector<std::uint8_t> winner;
};

template <class T>
MaxPoolResult<T> max_pool(const PoolSizes& s, const std::vector<T>& x) {
  MaxPoolResult<T> result{std::vector<T>(s.y_elements()), std::vector<std::uint8_t>(s.y_elements())};
  std::vector<bool> met(s.y_elements());
  for_each_position(s, [&](std::size_t in, std::size_t out, int position) {
    if (met[out] && !(x[in] > result.y[out]) && !std::isnan(x[in])) return;
    met[out] = true;
    result.y[out] = x[in];
    result.winner[out] = static_cast<std::uint8_t>(position);
  });
  return result;
}

template <class T>
std::vector<T> max_pool_backward(const PoolSizes& s, const std::vector<std::uint8_t>& winner,
                                 const std::vector<T>& d_y) {
  std::vector<T> d_x(s.x_elements(), T(0));
  for_each_position(s, [&](std::size_t in, std::size_t out, int position) {
    if (winner[out] == position) d_x[in] += d_y[out];
  });
  return d_x;
}

// 1 / the number of positions that each window divides by.
template <class T>
std::vector<T> average_weights(const PoolSizes& s, bool count_padding) {
  std::vector<T> weights(s.y_elements(), T(0));
  for_each_position(s, [&](std::size_t, std::size_t out, int) { weights[out] += 1; });
  for (T& weight : weights) weight = 1 / (count_padding ? static_cast<T>(s.window * s.window) : weight);
  return weights;
}

template <class T>
std::vector<T> average_pool(const PoolSizes& s, bool count_padding, const std::vector<T>& x) {
  const std::vector<T> weights = average_weights<T>(s, count_padding);
  std::vector<T> y(s.y_elements(), T(0));
  for_each_position(s, [&](std::size_t in, std::size_t out, int) { y[out] += weights[out] * x[in]; });
  return y;
}

template <class T>
std::vector<T> average_pool_backward(const PoolSizes& s, bool count_padding, const std::vector<T>& d_y) {
  const std::vector<T> weights = average_weights<T>(s, count_padding);
  std::vector<T> d_x(s.x_elements(), T(0));
  for_each_position(s, [&](std::size_t in, std::size_t out, int) { d_x[in] += weights[out] * d_y[out]; });
  return d_x;
}

// y[plane] = mean over the plane; x is [planes, plane].
template <class T>
std::vector<T> global_average_pool(int planes, int plane, const std::vector<T>& x) {
  std::vector<T> y(planes, T(0));
  for (std::size_t i = 0; i < x.size(); ++i) y[i / plane] += x[i] / static_cast<T>(plane);
  return y;
}

template <class T>
std::vector<T> global_average_pool_backward(int planes, int plane, const std::vector<T>& d_y) {
  std::vector<T> d_x(static_cast<std::size_t>(planes) * plane);
  for (std::size_t i = 0; i < d_x.size(); ++i) d_x[i] = d_y[i / plane] / static_cast<T>(plane);
  return d_x;
}

}  // namespace preceptor::kernels::reference
