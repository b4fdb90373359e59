// Loss and derivatives of a channel's variance, in double: the same on every device.
#pragma once

#include <cmath>

#include "kernels/gaussian_likelihood/gaussian_likelihood.h"

namespace preceptor::kernels {

struct ChannelLikelihood {
  double scale;     // weight / elements
  double variance;  // log(1 + exp(raw)) + least
  double slope;     // d variance / d raw

  template <class T>
  ON_ANY_DEVICE ChannelLikelihood(const GaussianLikelihood<T>& a, int channel) {
    const double raw = static_cast<double>(a.raw[channel]), small = std::exp(raw > 0 ? -raw : raw);
    variance = (raw > 0 ? raw : 0) + std::log1p(small) + static_cast<double>(a.least);
    slope = (raw > 0 ? 1 : small) / (1 + small);
    scale = static_cast<double>(a.weight) / (static_cast<double>(a.prediction.images) * a.prediction.channels *
                                             a.prediction.height * a.prediction.width);
  }
  // For `count` elements whose squared errors add up to `square`.
  ON_ANY_DEVICE double loss(double square, double count) const {
    return scale * (square / variance + count * std::log(variance)) / 2;
  }
  ON_ANY_DEVICE double d_raw(double square, double count) const {
    return scale * (count - square / variance) / (2 * variance) * slope;
  }
};

}  // namespace preceptor::kernels
