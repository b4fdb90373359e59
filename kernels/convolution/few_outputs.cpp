// Three passes over the wide map, which is all that takes time: two operations for each of its values and an output.
#include "kernels/convolution/cpu_algorithms.h"

#include <algorithm>

#include "kernels/device/cpu_loops.h"

namespace preceptor::kernels {
namespace {

constexpr int most_outputs = 8;
constexpr int chunk = 8;  // pixels whose sums stay in registers

template <class Wide, class Narrow>
bool fits(const FeatureMap<Wide>& wide, const FeatureMap<Narrow>& narrow, const ConvolutionGeometry& g) {
  return g.kernel_height == 1 && g.kernel_width == 1 && g.stride == 1 && g.padding == 0 && wide.block > 1 &&
         narrow.block == 1 && narrow.channels <= most_outputs;
}

// The weights are [out][in]: neither side has blocks where the outputs have none.
template <int block>
void forward_chunk(const ConvolutionForward<float>& a, int image, int first) {
  const int count = std::min(chunk, a.y.plane() - first);
  for (int out = 0; out < a.y.channels; ++out) {
    float sums[chunk][block] = {};
    for (int b = 0; b < a.x.channel_blocks(); ++b) {
      const float* x = a.x.block_data(image, b) + static_cast<std::ptrdiff_t>(first) * block;
      const float* weight = a.weight + static_cast<std::ptrdiff_t>(out) * a.x.channels + b * block;
      for (int i = 0; i < count; ++i)
        for (int c = 0; c < block; ++c) sums[i][c] += x[i * block + c] * weight[c];
    }
    float* y = a.y.block_data(image, out) + first;
    for (int i = 0; i < count; ++i) {
      double sum = a.bias ? static_cast<double>(a.bias[out]) : 0;
      for (int c = 0; c < block; ++c) sum += static_cast<double>(sums[i][c]);
      y[i] = static_cast<float>(sum);
    }
  }
}

template <int block>
void data_gradient_of_block(const ConvolutionDataGradient<float>& a, int image, int channel_block) {
  const float* weight = a.weight + channel_block * block;
  float* d_x = a.d_x.block_data(image, channel_block);
  for (int i = 0; i < a.d_x.plane(); ++i) {
    float sums[block] = {};
    for (int out = 0; out < a.d_y.channels; ++out) {
      const float d_y = a.d_y.block_data(image, out)[i];
      for (int c = 0; c < block; ++c) sums[c] += d_y * weight[static_cast<std::ptrdiff_t>(out) * a.d_x.channels + c];
    }
    std::copy_n(sums, block, d_x + static_cast<std::ptrdiff_t>(i) * block);
  }
}

// Float sums over an image's pixels, double ones over the images.
template <int block>
void weight_gradient_of_block(const ConvolutionWeightGradient<float>& a, int out, int channel_block) {
  double sums[block] = {};
  for (int image = 0; image < a.x.images; ++image) {
    const float *x = a.x.block_data(image, channel_block), *d_y = a.d_y.block_data(image, out);
    float of_image[block] = {};
    for (int i = 0; i < a.x.plane(); ++i)
      for (int c = 0; c < block; ++c) of_image[c] += d_y[i] * x[i * block + c];
    for (int c = 0; c < block; ++c) sums[c] += static_cast<double>(of_image[c]);
  }
  float* d_weight = a.d_weight + static_cast<std::ptrdiff_t>(out) * a.x.channels + channel_block * block;
  for (int c = 0; c < block; ++c) d_weight[c] = static_cast<float>(sums[c]);
}

}  // namespace

bool has_few_outputs(const ConvolutionForward<float>& a) {
  return fits(a.x, a.y, a.geometry) && !a.residual.data && !a.relu && !a.input.scale;
}
bool has_few_outputs(const ConvolutionDataGradient<float>& a) { return fits(a.d_x, a.d_y, a.geometry); }
bool has_few_outputs(const ConvolutionWeightGradient<float>& a) {
  return fits(a.x, a.d_y, a.geometry) && !a.input.scale;
}

// mapping: a thread per 8 pixels of an image; bytes: x read, from L1 after the first output, y written; operations: 2
// per value of x and output.
void few_outputs(const ConvolutionForward<float>& a) {
  const int chunks = (a.y.plane() + chunk - 1) / chunk;
  specialize_block(a.x.block, [&](auto block) {
#pragma omp parallel for schedule(static) if (worth_threads(static_cast <std::int64_t>(a.x.elements())))
    for (int task = 0; task < a.y.images * chunks; ++task)
      forward_chunk<block()>(a, task / chunks, task % chunks * chunk);
  });
}

// mapping: a thread per channel block of an image; bytes: d_y read by each, d_x written; operations: 2 per value of d_x
// and output.
void few_outputs(const ConvolutionDataGradient<float>& a) {
  const int blocks = a.d_x.channel_blocks();
  specialize_block(a.d_x.block, [&](auto block) {
#pragma omp parallel for schedule(static) if (worth_threads(static_cast <std::int64_t>(a.d_x.elements())))
    for (int task = 0; task < a.d_x.images * blocks; ++task)
      data_gradient_of_block<block()>(a, task / blocks, task % blocks);
  });
}

// mapping: a thread per output and channel block; bytes: x read once for every output; operations: 2 per value of x and
// output; hazard: a thread adds over all images, so the order is that of the images whatever the threads.
void few_outputs(const ConvolutionWeightGradient<float>& a) {
  const int blocks = a.x.channel_blocks();
  specialize_block(a.x.block, [&](auto block) {
#pragma omp parallel for schedule(static) if (worth_threads(static_cast <std::int64_t>(a.x.elements())))
    for (int task = 0; task < a.d_y.channels * blocks; ++task)
      weight_gradient_of_block<block()>(a, task / blocks, task % blocks);
  });
  for (int out = 0; a.d_bias && out < a.d_y.channels; ++out) {
    double sum = 0;
    for (int image = 0; image < a.d_y.images; ++image) {
      const float* d_y = a.d_y.block_data(image, out);
      for (int i = 0; i < a.d_y.plane(); ++i) sum += static_cast<double>(d_y[i]);
    }
    a.d_bias[out] = static_cast<float>(sum);
  }
}

}  // namespace preceptor::kernels
