// The fusion of two maps as plain loops: the specification that every device is tested against.
#pragma once

#include <cmath>
#include <vector>

namespace preceptor::kernels::reference {

template <class T>
T fusion_share(T attention) {
  return 1 / (1 + std::exp(-attention));
}

// x, y [images, channels, plane], attention [images, 2, plane].
template <class T>
std::vector<T> attention_fusion(int channels, int plane, const std::vector<T>& x, const std::vector<T>& y,
                                const std::vector<T>& attention) {
  std::vector<T> out(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t image = i / (static_cast<std::size_t>(channels) * plane), at = 2 * image * plane + i % plane;
    out[i] = x[i] * fusion_share(attention[at]) + y[i] * fusion_share(attention[at + plane]);
  }
  return out;
}

template <class T>
struct FusionGradients {
  std::vector<T> d_x, d_y, d_attention;
};

template <class T>
FusionGradients<T> attention_fusion_backward(int channels, int plane, const std::vector<T>& x, const std::vector<T>& y,
                                             const std::vector<T>& attention, const std::vector<T>& d_out) {
  FusionGradients<T> result{std::vector<T>(x.size()), std::vector<T>(x.size()), std::vector<T>(attention.size(), T(0))};
  for (std::size_t i = 0; i < x.size(); ++i) {
    const std::size_t image = i / (static_cast<std::size_t>(channels) * plane), at = 2 * image * plane + i % plane;
    const T a = fusion_share(attention[at]), b = fusion_share(attention[at + plane]);
    result.d_x[i] = a * d_out[i];
    result.d_y[i] = b * d_out[i];
    result.d_attention[at] += a * (1 - a) * x[i] * d_out[i];
    result.d_attention[at + plane] += b * (1 - b) * y[i] * d_out[i];
  }
  return result;
}

}  // namespace preceptor::kernels::reference
