// Two-dimensional convolution on channel-blocked feature maps: forward with everything that may follow it, and both
// gradients.
#pragma once

#include "kernels/device/device.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// Convolution weights in the device's order [out / out_block][in / in_block][height][width][in_block][out_block].
// Blocks of 1 and 1 give the plain order (out, in, height, width) that checkpoints hold.
struct WeightOrder {
  int out_channels, in_channels, height, width;
  int out_block, in_block;

  std::size_t elements() const { return static_cast<std::size_t>(out_channels) * in_channels * height * width; }
  std::size_t offset(int out, int in, int y, int x) const {
    const std::size_t blocks = static_cast<std::size_t>(out / out_block) * (in_channels / in_block) + in / in_block;
    return (((blocks * height + y) * width + x) * in_block + in % in_block) * out_block + out % out_block;
  }
};

// The order in which this device wants the weights of such a layer: out_block and in_block are the device's channel
// blocks; all input channels form one block where they are no multiple of it (images of 1 or 3 channels).
WeightOrder device_weight_order(const Device& device, int out_channels, int in_channels, int height, int width);

struct ConvolutionGeometry {
  int kernel_height, kernel_width;
  int stride, padding;  // the same in both directions; stride >= 1, 0 <= padding < kernel
  int out_size(int in_size, int kernel) const { return (in_size + 2 * padding - kernel) / stride + 1; }
};

// y = relu?(convolution(x, weight) + bias? + residual?)
struct ConvolutionForward {
  static constexpr const char* name = "convolution_forward";
  FeatureMap<const float> x;
  const float* weight;               // device order
  const float* bias;                 // [out channels]; nullptr: none
  FeatureMap<const float> residual;  // data is nullptr: none; else shape and layout of y
  FeatureMap<float> y;
  ConvolutionGeometry geometry;
  bool relu;
  void* workspace;  // workspace_bytes(arguments), 64-byte aligned
};
Cost cost(const ConvolutionForward& arguments);
void run_on(Cpu, const ConvolutionForward& arguments);
std::size_t workspace_bytes(const ConvolutionForward& arguments, const Device& device);

// d_x from d_y.
struct ConvolutionDataGradient {
  static constexpr const char* name = "convolution_data_gradient";
  FeatureMap<const float> d_y;
  const float* weight;    // device order
  FeatureMap<float> d_x;  // overwritten
  ConvolutionGeometry geometry;
  void* workspace;
};
Cost cost(const ConvolutionDataGradient& arguments);
void run_on(Cpu, const ConvolutionDataGradient& arguments);
std::size_t workspace_bytes(const ConvolutionDataGradient& arguments, const Device& device);

// d_weight and d_bias from x and d_y.
struct ConvolutionWeightGradient {
  static constexpr const char* name = "convolution_weight_gradient";
  FeatureMap<const float> x;
  FeatureMap<const float> d_y;
  float* d_weight;  // device order, overwritten
  float* d_bias;    // [out channels], overwritten; nullptr: none
  ConvolutionGeometry geometry;
  void* workspace;
};
Cost cost(const ConvolutionWeightGradient& arguments);
void run_on(Cpu, const ConvolutionWeightGradient& arguments);
std::size_t workspace_bytes(const ConvolutionWeightGradient& arguments, const Device& device);

// Weights from one order to another, for initial values and checkpoints.
struct ReorderWeights {
  static constexpr const char* name = "reorder_weights";
  const float* from;
  float* to;
  WeightOrder from_order, to_order;  // the same sizes
};
Cost cost(const ReorderWeights& arguments);
void run_on(Cpu, const ReorderWeights& arguments);

}  // namespace preceptor::kernels
