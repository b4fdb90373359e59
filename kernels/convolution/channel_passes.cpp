// Passes over the maps around a convolution, a channel block of an image or of all images a task.
#include "kernels/convolution/channel_passes.h"

#include <vector>

namespace preceptor::kernels {

std::size_t bytes_of_transformed(const FeatureMap<const float>& x, const ChannelAffine& input) {
  return input.scale ? (x.elements() * sizeof(float) + 63) / 64 * 64 : 0;
}

// mapping: channel blocks of all images over threads; bytes: x read, the result written; operations: 2 per element.
void transform(const FeatureMap<const float>& x, const ChannelAffine& input, float* to) {
  const FeatureMap<float> map{to, x.images, x.channels, x.height, x.width, x.block, x.channels};
#pragma omp parallel for collapse(2) schedule(static)
  for (int image = 0; image < x.images; ++image)
    for (int block = 0; block < x.channel_blocks(); ++block) {
      const float* from = x.block_data(image, block);
      float* result = map.block_data(image, block);
      for (int i = 0; i < x.plane() * x.block; ++i) {
        const int channel = block * x.block + i % x.block;
        const float value = input.scale[channel] * from[i] + input.shift[channel];
        result[i] = input.relu && value < 0 ? 0 : value;
      }
    }
}

// mapping: channel blocks over threads, each with all images in order; bytes: y read twice; operations: 4 per element;
// hazard: squares around zero would cancel where the mean is large, so the mean comes first, and sums are double.
void find_moments(const FeatureMap<const float>& y, float* mean, float* squared_deviations) {
  const double count = static_cast<double>(y.images) * y.plane();
#pragma omp parallel for schedule(static)
  for (int block = 0; block < y.channel_blocks(); ++block) {
    const auto for_each = [&](const auto& visit) {
      for (int image = 0; image < y.images; ++image) {
        const float* values = y.block_data(image, block);
        for (int i = 0; i < y.plane() * y.block; ++i) visit(i % y.block, static_cast<double>(values[i]));
      }
    };
    std::vector<double> means(static_cast<std::size_t>(y.block)), squares(means.size());
    for_each([&](int channel, double value) { means[channel] += value; });
    for (double& sum : means) sum /= count;
    for_each(
        [&](int channel, double value) { squares[channel] += (value - means[channel]) * (value - means[channel]); });
    for (int channel = 0; channel < y.block; ++channel) {
      mean[block * y.block + channel] = static_cast<float>(means[channel]);
      squared_deviations[block * y.block + channel] = static_cast<float>(squares[channel]);
    }
  }
}

}  // namespace preceptor::kernels
