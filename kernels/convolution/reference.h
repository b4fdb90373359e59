// The convolution family as plain loops over plain-order arrays: the specification that every device is tested against.
#pragma once

#include <cmath>
#include <vector>

#include "kernels/convolution/convolution.h"

namespace preceptor::kernels::reference {

// Sizes of one convolution. Arrays: x [images, in, height, width], weight [out, in, kernel, kernel],
// y [images, out, out_height(), out_width()].
struct ConvolutionSizes {
  int images, in, out, height, width;
  ConvolutionGeometry geometry;

  int out_height() const { return geometry.out_size(height, geometry.kernel_height); }
  int out_width() const { return geometry.out_size(width, geometry.kernel_width); }
  std::size_t x_elements() const { return static_cast<std::size_t>(images) * in * height * width; }
  std::size_t y_elements() const { return static_cast<std::size_t>(images) * out * out_height() * out_width(); }
  std::size_t weight_elements() const {
    return static_cast<std::size_t>(out) * in * geometry.kernel_height * geometry.kernel_width;
  }
};

// Calls visit(position in x, position in weight, position in y) for every product of the convolution.
template <class Visit>
void for_each_product(const ConvolutionSizes& s, const Visit& visit) {
  const ConvolutionGeometry& g = s.geometry;
  for (int n = 0; n < s.images; ++n)
    for (int o = 0; o < s.out; ++o)
      for (int oy = 0; oy < s.out_height(); ++oy)
        for (int ox = 0; ox < s.out_width(); ++ox)
          for (int i = 0; i < s.in; ++i)
            for (int ky = 0; ky < g.kernel_height; ++ky)
              for (int kx = 0; kx < g.kernel_width; ++kx) {
                const int y = oy * g.stride - g.padding + ky, x = ox * g.stride - g.padding + kx;
                if (y < 0 || y >= s.height || x < 0 || x >= s.width) continue;
                visit(((static_cast<std::size_t>(n) * s.in + i) * s.height + y) * s.width + x,
                      ((static_cast<std::size_t>(o) * s.in + i) * g.kernel_height + ky) * g.kernel_width + kx,
                      ((static_cast<std::size_t>(n) * s.out + o) * s.out_height() + oy) * s.out_width() + ox);
              }
}

// y = convolution(x, weight), without bias, residual and ReLU.
template <class T>
std::vector<T> convolution_forward(const ConvolutionSizes& s, const std::vector<T>& x, const std::vector<T>& weight) {
  std::vector<T> y(s.y_elements(), T(0));
  for_each_product(s, [&](std::size_t in, std::size_t w, std::size_t out) { y[out] += x[in] * weight[w]; });
  return y;
}

template <class T>
std::vector<T> convolution_data_gradient(const ConvolutionSizes& s, const std::vector<T>& weight,
                                         const std::vector<T>& d_y) {
  std::vector<T> d_x(s.x_elements(), T(0));
  for_each_product(s, [&](std::size_t in, std::size_t w, std::size_t out) { d_x[in] += d_y[out] * weight[w]; });
  return d_x;
}

template <class T>
std::vector<T> convolution_weight_gradient(const ConvolutionSizes& s, const std::vector<T>& x,
                                           const std::vector<T>& d_y) {
  std::vector<T> d_weight(s.weight_elements(), T(0));
  for_each_product(s, [&](std::size_t in, std::size_t w, std::size_t out) { d_weight[w] += d_y[out] * x[in]; });
  return d_weight;
}

// d_bias[out] = sum of d_y over images and pixels.
template <class T>
std::vector<T> convolution_bias_gradient(const ConvolutionSizes& s, const std::vector<T>& d_y) {
  std::vector<T> d_bias(static_cast<std::size_t>(s.out), T(0));
  const std::size_t plane = static_cast<std::size_t>(s.out_height()) * s.out_width();
  for (std::size_t i = 0; i < d_y.size(); ++i) d_bias[i / plane % s.out] += d_y[i];
  return d_bias;
}

}  // namespace preceptor::kernels::reference
