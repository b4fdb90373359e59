// Products of maps as plain loops over plain-order arrays: the specification that every device is tested against.
#pragma once

#include <vector>

namespace preceptor::kernels::reference {

struct ProductSizes {
  int images, x_channels, y_channels, plane;
};

template <class T>
std::vector<T> gram_matrix(const ProductSizes& s, const std::vector<T>& x, const std::vector<T>& y, T scale) {
  std::vector<T> products;
  for (std::size_t n = 0; n < static_cast<std::size_t>(s.images); ++n)
    for (int i = 0; i < s.x_channels; ++i)
      for (int j = 0; j < s.y_channels; ++j) {
        T sum = 0;
        for (int p = 0; p < s.plane; ++p)
          sum += x[(n * s.x_channels + i) * s.plane + p] * y[(n * s.y_channels + j) * s.plane + p];
        products.push_back(scale * sum);
      }
  return products;
}

// The derivative by x, or with `transposed` by y, whose other factor is then x.
template <class T>
std::vector<T> gram_matrix_backward(const ProductSizes& s, const std::vector<T>& other,
                                    const std::vector<T>& d_products, T scale, bool transposed) {
  const int channels = transposed ? s.y_channels : s.x_channels, others = transposed ? s.x_channels : s.y_channels;
  std::vector<T> d_x(static_cast<std::size_t>(s.images) * channels * s.plane, T(0));
  for (std::size_t n = 0; n < static_cast<std::size_t>(s.images); ++n)
    for (int i = 0; i < channels; ++i)
      for (int j = 0; j < others; ++j) {
        const std::size_t row = transposed ? j : i, column = transposed ? i : j;
        const T d = scale * d_products[(n * s.x_channels + row) * s.y_channels + column];
        for (int p = 0; p < s.plane; ++p)
          d_x[(n * channels + i) * s.plane + p] += d * other[(n * others + j) * s.plane + p];
      }
  return d_x;
}

}  // namespace preceptor::kernels::reference
