// How likely a target is under Gaussians around a prediction, with a variance for every channel that is learned.
#pragma once

#include "kernels/device/family.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// With the variance v = log(1 + exp(raw)) + least of a channel: the mean over all elements of
// ((prediction - target)^2 / v + log v) / 2, times weight. Maps are stored in T, float or bfloat16 (cpu: float),
// without gaps: channel-blocked on the cpu, channels-last on cuda and emulated.
template <class T>
struct GaussianLikelihood {
  static constexpr const char* name = "gaussian_likelihood";
  FeatureMap<const T> prediction, target;
  const float* raw;            // [channels]
  float* loss;                 // [channels], whose sum is the loss
  FeatureMap<T> d_prediction;  // d (sum of loss) / d prediction
  float* d_raw;                // [channels]
  float weight, least;

  Cost cost() const {
    const double elements = count_of(prediction.elements());
    return {3 * elements * sizeof(T) + 3.0 * prediction.channels * sizeof(float), 5 * elements};
  }
};
KERNEL_FAMILY_OF_T(GaussianLikelihood);

}  // namespace preceptor::kernels
