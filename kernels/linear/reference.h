// The fully connected layer as plain loops: the specification that every device is tested against.
#pragma once

#include <vector>

namespace preceptor::kernels::reference {

struct LinearSizes {
  int rows, in, out;
};

// y [rows, out] = x [rows, in] weight [out, in]^T + bias [out]; no bias: an empty vector.
template <class T>
std::vector<T> linear(const LinearSizes& s, const std::vector<T>& x, const std::vector<T>& weight,
                      const std::vector<T>& bias) {
  std::vector<T> y(static_cast<std::size_t>(s.rows) * s.out);
  for (std::size_t row = 0; row < static_cast<std::size_t>(s.rows); ++row)
    for (int o = 0; o < s.out; ++o) {
      T sum = bias.empty() ? T(0) : bias[o];
      for (int i = 0; i < s.in; ++i) sum += x[row * s.in + i] * weight[static_cast<std::size_t>(o) * s.in + i];
      y[row * s.out + o] = sum;
    }
  return y;
}

template <class T>
struct LinearGradients {
  std::vector<T> d_x, d_weight, d_bias;
};

template <class T>
LinearGradients<T> linear_backward(const LinearSizes& s, const std::vector<T>& x, const std::vector<T>& weight,
                                   const std::vector<T>& d_y) {
  LinearGradients<T> result{std::vector<T>(x.size(), T(0)), std::vector<T>(weight.size(), T(0)),
                            std::vector<T>(s.out, T(0))};
  for (std::size_t row = 0; row < static_cast<std::size_t>(s.rows); ++row)
    for (int o = 0; o < s.out; ++o) {
      const T gradient = d_y[row * s.out + o];
      result.d_bias[o] += gradient;
      for (int i = 0; i < s.in; ++i) {
        result.d_x[row * s.in + i] += gradient * weight[static_cast<std::size_t>(o) * s.in + i];
        result.d_weight[static_cast<std::size_t>(o) * s.in + i] += gradient * x[row * s.in + i];
      }
    }
  return result;
}

}  // namespace preceptor::kernels::reference
