// How likely a target is under Gaussians around a prediction, with a variance for every channel that is learned.
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"
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
};
template <class T>
Cost cost(const GaussianLikelihood<T>& arguments);
void run_on(Cpu, const GaussianLikelihood<float>& arguments);
template <class T>
void run_on(Cuda, const GaussianLikelihood<T>& arguments);
template <class T>
void run_on(Emulated, const GaussianLikelihood<T>& arguments);

}  // namespace preceptor::kernels
