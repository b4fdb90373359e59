// The elementwise family as plain loops: the specification that every device is tested against.
#pragma once

#include <vector>

namespace preceptor::kernels::reference {

// max(x, 0); a NaN stays a NaN.
template <class T>
std::vector<T> relu(const std::vector<T>& x) {
  std::vector<T> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] < 0 ? T(0) : x[i];
  return y;
}

// The derivative at 0 is 0, as in torch.
template <class T>
std::vector<T> relu_backward(const std::vector<T>& y, const std::vector<T>& d_y) {
  std::vector<T> d_x(y.size());
  for (std::size_t i = 0; i < y.size(); ++i) d_x[i] = y[i] > 0 ? d_y[i] : T(0);
  return d_x;
}

// x where it is not negative, else slope x; a NaN stays a NaN.
template <class T>
std::vector<T> leaky_relu(const std::vector<T>& x, T slope) {
  std::vector<T> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] < 0 ? slope * x[i] : x[i];
  return y;
}

// The derivative at 0 is the slope, as in torch.
template <class T>
std::vector<T> leaky_relu_backward(const std::vector<T>& y, const std::vector<T>& d_y, T slope) {
  std::vector<T> d_x(y.size());
  for (std::size_t i = 0; i < y.size(); ++i) d_x[i] = y[i] > 0 ? d_y[i] : slope * d_y[i];
  return d_x;
}

// max(x, margin) of x [images, channels, plane]; a NaN stays a NaN.
template <class T>
std::vector<T> margin_relu(const std::vector<T>& x, const std::vector<T>& margin, int plane) {
  std::vector<T> y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const T least = margin[i / static_cast<std::size_t>(plane) % margin.size()];
    y[i] = x[i] < least ? least : x[i];
  }
  return y;
}

// The derivative by both summands is d_out itself.
template <class T>
std::vector<T> add(const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<T> out(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) out[i] = a[i] + b[i];
  return out;
}

}  // namespace preceptor::kernels::reference
