// Gaussian likelihood on the cpu, in double.
#include "kernels/gaussian_likelihood/gaussian_likelihood.h"

#include "kernels/device/cpu_loops.h"
#include "kernels/gaussian_likelihood/channel.h"

namespace preceptor::kernels {
namespace {

// The channels of a block, whose values of a pixel are a line of memory.
template <int block>
void of_block(const GaussianLikelihood<float>& a, int channel_block) {
  const int plane = a.prediction.plane(), images = a.prediction.images;
  double factor[block], square[block] = {};
  for (int c = 0; c < block; ++c) {
    const ChannelLikelihood likelihood(a, channel_block * block + c);
    factor[c] = likelihood.scale / likelihood.variance;
  }
  for (int image = 0; image < images; ++image) {
    const float* prediction = a.prediction.block_data(image, channel_block);
    const float* target = a.target.block_data(image, channel_block);
    float* d_prediction = a.d_prediction.block_data(image, channel_block);
    for (int i = 0; i < plane; ++i)
      for (int c = 0; c < block; ++c) {
        const int at = i * block + c;
        const double x = static_cast<double>(prediction[at]) - static_cast<double>(target[at]);
        square[c] += x * x;
        d_prediction[at] = static_cast<float>(factor[c] * x);
      }
  }
  const double count = static_cast<double>(images) * plane;
  for (int c = 0; c < block; ++c) {
    const int channel = channel_block * block + c;
    const ChannelLikelihood likelihood(a, channel);
    a.loss[channel] = static_cast<float>(likelihood.loss(square[c], count));
    a.d_raw[channel] = static_cast<float>(likelihood.d_raw(square[c], count));
  }
}

}  // namespace

// mapping: channel blocks over threads; bytes: prediction and target read, d_prediction written;
// operations: 5 per value.
void run_on(Cpu, const GaussianLikelihood<float>& a) {
  const FeatureMap<const float>& map = a.prediction;
  specialize_block(map.block, [&](auto block) {
#pragma omp parallel for schedule( \
    static) if (worth_threads(map.channels, static_cast <std::int64_t>(map.images) * map.plane(), 2))
    for (int channel_block = 0; channel_block < map.channel_blocks(); ++channel_block)
      of_block<block()>(a, channel_block);
  });
}

}  // namespace preceptor::kernels
