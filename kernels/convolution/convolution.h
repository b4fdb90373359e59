// Two-dimensional convolution: forward with everything that may come before and after it, and both gradients.
#pragma once

#include "kernels/convolution/weight_order.h"
#include "kernels/device/channel_statistics.h"
#include "kernels/device/family.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// Maps and weights are stored in T, float or bfloat16 (cpu: float), sums are float. Products are of floats or, on cuda
// and emulated, of bfloat16 where T is that, and of floats rounded to tf32 (kernels/device/tf32.h) where `tf32` asks
// for it and T is float. `direct` asks for sums of the products themselves: Winograd's transforms are faster and round
// several times as much. Maps are channel-blocked on the cpu, channels-last on cuda and emulated. Everything
// [channels], and gradients of parameters, are float.

struct ConvolutionGeometry {
  int kernel_height, kernel_width;
  int stride, padding;  // the same in both directions; stride >= 1, 0 <= padding < kernel
  int out_size(int in_size, int kernel) const { return (in_size + 2 * padding - kernel) / stride + 1; }
};

// The input of a convolution in place of x: relu?((x - mean) scale + offset) by channel, a batch norm before it whose
// output is then never stored; the bits are the batch norm's. Padding is added after this map and is zero.
struct ChannelAffine {
  const float* mean = nullptr;    // [in channels]
  const float* scale = nullptr;   // [in channels]; nullptr: x itself is read
  const float* offset = nullptr;  // [in channels]
  bool relu = false;
};

// Multiply-adds and least traffic, the same for the three directions: the maps in T, the weights in their own type.
template <class Weight, class Input, class Output>
Cost convolution_cost(const FeatureMap<Input>& in, const FeatureMap<Output>& out, const ConvolutionGeometry& g) {
  const double taps = count_of(in.channels, g.kernel_height, g.kernel_width);
  return {sizeof(Input) * count_of(in.elements() + out.elements()) + sizeof(Weight) * taps * out.channels,
          2 * count_of(out.elements()) * taps};
}

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
  // [out channels] out: of y as it is stored, so that the batch norm that follows need not read y for its
  // statistics; nullptr: not wanted. Only where fuses_batch_norms().
  ChannelStatistics* statistics = nullptr;
  void* workspace = nullptr;  // workspace_bytes(arguments), 64-byte aligned
  bool tf32 = false;
  bool direct = false;

  Cost cost() const {
    Cost result = convolution_cost<T>(x, y, geometry);
    if (residual.data) result.bytes += sizeof(T) * count_of(y.elements());
    return result;
  }
};
// True if a convolution applies a batch norm to its input as it loads it and computes the statistics of y as it stores
// the way there: cuda and emulated. On a cpu an `input` takes a pass of its own, and so would statistics, which a batch
// norm finds better itself while it has y in its cache.
bool fuses_batch_norms(const Device& device);
KERNEL_FAMILY_OF_T(ConvolutionForward);
template <class T>
std::size_t workspace_bytes(const ConvolutionForward<T>& arguments, const Device& device);

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

  Cost cost() const { return convolution_cost<T>(d_x, d_y, geometry); }
};
KERNEL_FAMILY_OF_T(ConvolutionDataGradient);
template <class T>
std::size_t workspace_bytes(const ConvolutionDataGradient<T>& arguments, const Device& device);

// d_weight and d_bias from x and d_y.
template <class T>
struct ConvolutionWeightGradient {
  static constexpr const char* name = "convolution_weight_gradient";
  FeatureMap<const T> x;
  FeatureMap<const T> d_y;
  float* d_weight;  // device order, overwritten
  float* d_bias;    // [out channels], overwritten; nullptr: none
  ConvolutionGeometry geometry;
  ChannelAffine input = {};  // as in the forward pass
  void* workspace = nullptr;
  bool tf32 = false;
  bool direct = false;

  Cost cost() const { return convolution_cost<float>(x, d_y, geometry); }
};
KERNEL_FAMILY_OF_T(ConvolutionWeightGradient);
template <class T>
std::size_t workspace_bytes(const ConvolutionWeightGradient<T>& arguments, const Device& device);

// Weights from one order to another, for initial values and checkpoints.
struct ReorderWeights {
  static constexpr const char* name = "reorder_weights";
  const float* from;
  float* to;
  WeightOrder from_order, to_order;  // the same sizes

  Cost cost() const { return {2 * count_of(from_order.elements()) * sizeof(float), 0}; }
};
KERNEL_FAMILY(ReorderWeights);

}  // namespace preceptor::kernels
