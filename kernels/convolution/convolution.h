// Two-dimensional convolution: forward with everything that may come before and after it, and both gradients.
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/channel_statistics.h"
#include "kernels/device/device.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// Maps and weights are stored in T, float or bfloat16 (cpu: float), sums are float. Products are of floats or, on cuda
// and emulated, of bfloat16 where T is that, and of floats rounded to tf32 (kernels/device/tf32.h) where `tf32` asks
// for it and T is float. `direct` asks for sums of the products themselves: Winograd's transforms are faster and round
// several times as much. Maps are channel-blocked on the cpu, channels-last on cuda and emulated. Everything
// [channels], and gradients of parameters, are float.

// Convolution weights in the device's order [out / out_block][in / in_block][height][width][in_block][out_block].
// Blocks of 1 and 1 give the plain order (out, in, height, width) that checkpoints hold.
struct WeightOrder {
  int out_channels, in_channels, height, width;
  int out_block, in_block;

  ON_ANY_DEVICE std::size_t elements() const {
    return static_cast<std::size_t>(out_channels) * in_channels * height * width;
  }
  ON_ANY_DEVICE std::size_t offset(int out, int in, int y, int x) const {
    const std::size_t blocks = static_cast<std::size_t>(out / out_block) * (in_channels / in_block) + in / in_block;
    return (((blocks * height + y) * width + x) * in_block + in % in_block) * out_block + out % out_block;
  }
};

// The order in which this device wants the weights of such a layer. cpu: out_block and in_block are the device's
// channel blocks; all input channels form one block where they are no multiple of it (images of 1 or 3 channels). cuda
// and emulated: [out][height][width][in], channels-last as the maps.
WeightOrder device_weight_order(const Device& device, int out_channels, int in_channels, int height, int width);

struct ConvolutionGeometry {
  int kernel_height, kernel_width;
  int stride, padding;  // the same in both directions; stride >= 1, 0 <= padding < kernel
  int out_size(int in_size, int kernel) const { return (in_size + 2 * padding - kernel) / stride + 1; }
};

// What a convolution reads in place of x: relu?((x - mean) scale + offset) by channel, a batch norm before it whose
// output is then never stored; the bits are the batch norm's. Padding is zero behind this map.
struct ChannelAffine {
  const float* mean = nullptr;    // [in channels]
  const float* scale = nullptr;   // [in channels]; nullptr: x itself is read
  const float* offset = nullptr;  // [in channels]
  bool relu = false;
};

// y = relu?(convolution(input(x), weight) + bias? + residual?)
template <class T>
struct ConvolutionForward {
  static constexpr const char* name = "convolution_forward";
  FeatureMap<const T> x;
  const T* weight;               // device order
  const float* bias;             // [out channels]; nullptr: none
  FeatureMap<const T> residual;  // data is nullptr: none; else shape and layout of y; may be y's memory
  FeatureMap<T> y;
  ConvolutionGeometry geometry;
  bool relu;
  ChannelAffine input = {};
  // [out channels] out: of y as it is stored, so that a batch norm behind this layer need not read y for its
  // statistics; nullptr: not wanted. Only where fuses_batch_norms().
  ChannelStatistics* statistics = nullptr;
  void* workspace = nullptr;  // workspace_bytes(arguments), 64-byte aligned
  bool tf32 = false;
  bool direct = false;
};
// Whether a convolution passes its input through a batch norm on the way from memory and finds the statistics of y on
// the way there: cuda and emulated. On a cpu an `input` takes a pass of its own, and so would statistics, which a batch
// norm finds better itself while it has y in its cache.
bool fuses_batch_norms(const Device& device);
template <class T>
Cost cost(const ConvolutionForward<T>& arguments);
template <class T>
std::size_t workspace_bytes(const ConvolutionForward<T>& arguments, const Device& device);
void run_on(Cpu, const ConvolutionForward<float>& arguments);
template <class T>
void run_on(Cuda, const ConvolutionForward<T>& arguments);
template <class T>
void run_on(Emulated, const ConvolutionForward<T>& arguments);

// d_x from d_y.
template <class T>
struct ConvolutionDataGradient {
  static constexpr const char* name = "convolution_data_gradient";
  FeatureMap<const T> d_y;
  const T* weight;    // device order
  FeatureMap<T> d_x;  // overwritten; where the forward pass had an `input`, the gradient by its result
  ConvolutionGeometry geometry;
  void* workspace = nullptr;
  bool tf32 = false;
  bool direct = false;
};
template <class T>
Cost cost(const ConvolutionDataGradient<T>& arguments);
template <class T>
std::size_t workspace_bytes(const ConvolutionDataGradient<T>& arguments, const Device& device);
void run_on(Cpu, const ConvolutionDataGradient<float>& arguments);
template <class T>
void run_on(Cuda, const ConvolutionDataGradient<T>& arguments);
template <class T>
void run_on(Emulated, const ConvolutionDataGradient<T>& arguments);

// d_weight and d_bias from x and d_y.
template <class T>
struct ConvolutionWeightGradient {
  static constexpr const char* name = "convolution_weight_gradient";
  FeatureMap<const T> x;
  FeatureMap<const T> d_y;
  float* d_weight;  // device order, overwritten
  float* d_bias;    // [out channels], overwritten; nullptr: none
  ConvolutionGeometry geometry;
  ChannelAffine input = {};  // of the forward pass
  void* workspace = nullptr;
  bool tf32 = false;
  bool direct = false;
};
template <class T>
Cost cost(const ConvolutionWeightGradient<T>& arguments);
template <class T>
std::size_t workspace_bytes(const ConvolutionWeightGradient<T>& arguments, const Device& device);
void run_on(Cpu, const ConvolutionWeightGradient<float>& arguments);
template <class T>
void run_on(Cuda, const ConvolutionWeightGradient<T>& arguments);
template <class T>
void run_on(Emulated, const ConvolutionWeightGradient<T>& arguments);

// Weights from one order to another, for initial values and checkpoints.
struct ReorderWeights {
  static constexpr const char* name = "reorder_weights";
  const float* from;
  float* to;
  WeightOrder from_order, to_order;  // the same sizes
};
Cost cost(const ReorderWeights& arguments);
void run_on(Cpu, const ReorderWeights& arguments);
void run_on(Cuda, const ReorderWeights& arguments);
void run_on(Emulated, const ReorderWeights& arguments);

}  // namespace preceptor::kernels
