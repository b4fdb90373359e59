// The likelihood as plain loops over plain-order arrays: the specification that every device is tested against.
#pragma once

#include <cmath>
#include <vector>

namespace preceptor::kernels::reference {

template <class T>
struct Likelihood {
  std::vector<T> loss;          // [channels]
  std::vector<T> d_prediction;  // [images, channels, plane]
  std::vector<T> d_raw;         // [channels]
};

template <class T>
Likelihood<T> gaussian_likelihood(int channels, int plane, const std::vector<T>& prediction,
                                  const std::vector<T>& target, const std::vector<T>& raw, T weight, T least) {
  Likelihood<T> result{std::vector<T>(channels, T(0)), std::vector<T>(prediction.size()),
                       std::vector<T>(channels, T(0))};
  const T scale = weight / static_cast<T>(prediction.size());
  for (std::size_t i = 0; i < prediction.size(); ++i) {
    const std::size_t channel = i / plane % channels;
    const T variance = std::log1p(std::exp(raw[channel])) + least, x = prediction[i] - target[i];
    result.loss[channel] += scale * (x * x / variance + std::log(variance)) / 2;
    result.d_prediction[i] = scale * x / variance;
    result.d_raw[channel] += scale * (1 - x * x / variance) / (2 * variance) / (1 + std::exp(-raw[channel]));
  }
  return result;
}

}  // namespace preceptor::kernels::reference
