// Gaussian likelihood on the cpu, in double.
#include "kernels/gaussian_likelihood/gaussian_likelihood.h"

#include "kernels/device/lanes.h"
#include "kernels/gaussian_likelihood/channel.h"

namespace preceptor::kernels {

// mapping: channels over threads; bytes: prediction and target read, d_prediction written, each in lines of a block's
// channels; operations: 5 per value.
void run_on(Cpu, const GaussianLikelihood<float>& a) {
  const FeatureMap<const float>& map = a.prediction;
  const int plane = map.plane();
#pragma omp parallel for schedule( \
    static) if (worth_threads(map.channels, static_cast <std::int64_t>(map.images) * plane, 2))
  for (int channel = 0; channel < map.channels; ++channel) {
    const ChannelLikelihood likelihood(a, channel);
    double square = 0;
    for (int image = 0; image < map.images; ++image) {
      const std::size_t first = map.block_offset(image, channel / map.block) + channel % map.block;
      for (int i = 0; i < plane; ++i) {
        const std::size_t at = first + static_cast<std::size_t>(i) * map.block;
        const double x = static_cast<double>(a.prediction.data[at]) - static_cast<double>(a.target.data[at]);
        square += x * x;
        a.d_prediction.data[at] = static_cast<float>(likelihood.scale * x / likelihood.variance);
      }
    }
    const double count = static_cast<double>(map.images) * plane;
    a.loss[channel] = static_cast<float>(likelihood.loss(square, count));
    a.d_raw[channel] = static_cast<float>(likelihood.d_raw(square, count));
  }
}

template <class T>
Cost cost(const GaussianLikelihood<T>& a) {
  const double elements = static_cast<double>(a.prediction.elements());
  return {3 * elements * sizeof(T) + 3.0 * a.prediction.channels * sizeof(float), 5 * elements};
}
template Cost cost(const GaussianLikelihood<float>&);
template Cost cost(const GaussianLikelihood<bfloat16>&);

}  // namespace preceptor::kernels
