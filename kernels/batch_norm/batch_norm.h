// Batch normalization (Ioffe and Szegedy 2015) with the residual sum and ReLU that follow it in one pass.
#pragma once

#include "kernels/device/channel_statistics.h"
#include "kernels/device/family.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// Maps are stored in T, float or bfloat16 (cpu: float): channel-blocked on the cpu, channels-last on cuda and emulated.
// Everything [channels] is float.
//
// No y can be written before the statistics of all x are known, and no d_x before the sums over all d_y: every device
// passes over the inputs twice, and cost() counts both. A cache that keeps a map in between shows as a rate above that
// of memory.

// The statistics of a map's channels, for a batch norm of it or of a wider map that holds it.
template <class T>
struct FindStatistics {
  static constexpr const char* name = "find_statistics";
  FeatureMap<const T> x;
  ChannelStatistics* statistics;  // [channels] out
  void* workspace = nullptr;      // workspace_bytes(arguments), 64-byte aligned

  Cost cost() const { return {count_of(x.elements()) * sizeof(T), 5 * count_of(x.elements())}; }
};
KERNEL_FAMILY_OF_T(FindStatistics);
template <class T>
std::size_t workspace_bytes(const FindStatistics<T>& arguments, const Device& device);

// y = relu?(gamma (x - mean) / sqrt(variance + epsilon) + beta + residual?) with the batch's own statistics.
template <class T>
struct BatchNormForward {
  static constexpr const char* name = "batch_norm_forward";
  FeatureMap<const T> x;
  const ChannelStatistics* statistics;  // [channels] of x, from what stored it; nullptr: found here
  FeatureMap<const T> residual;         // data is nullptr: none; else the shape of x
  FeatureMap<T> y;                      // shape of x; null data: statistics only (the consumer normalizes on load)
  const float* gamma;                   // [channels]
  const float* beta;                    // [channels]
  float* running_mean;                  // [channels] moved by momentum; nullptr: not updated
  float* running_variance;              // [channels] with the unbiased batch variance, as torch does
  float* mean;                          // [channels] out: of this batch, for the gradient
  float* rstd;                          // [channels] out: 1 / sqrt(biased variance + epsilon)
  float* scale;                         // [channels] out: gamma rstd
  float* offset;            // [channels] out: beta without what rounding the mean to float adds to y, so that
                            // y = relu?((x - mean) scale + offset + residual?) to the last bit
  float* rounding_errors;   // [2][channels] out: what rounding to float took from mean and rstd
  float epsilon, momentum;  // running = (1 - momentum) running + momentum batch
  bool relu;
  void* workspace = nullptr;  // workspace_bytes(arguments), 64-byte aligned

  Cost cost() const {
    const int sums = statistics ? 0 : 1, added = residual.data ? 1 : 0;
    const int maps = sums + (y.data ? 2 + added : 0), operations = 5 * sums + (y.data ? 3 + added : 0);
    return {count_of(x.elements(), maps) * sizeof(T), count_of(x.elements(), operations)};
  }
};
KERNEL_FAMILY_OF_T(BatchNormForward);
template <class T>
std::size_t workspace_bytes(const BatchNormForward<T>& arguments, const Device& device);

// The same with given statistics: evaluation, frozen blocks in training, and the forward pass done again from its mean,
// scale and (as beta) offset, which gives its bits.
template <class T>
struct BatchNormInference {
  static constexpr const char* name = "batch_norm_inference";
  FeatureMap<const T> x;
  FeatureMap<const T> residual;  // data is nullptr: none
  FeatureMap<T> y;
  const float *gamma, *beta, *mean, *variance;  // [channels]
  const float* scale;  // [channels]; nullptr: gamma / sqrt(variance + epsilon), else neither of them is read
  float epsilon;
  bool relu;

  Cost cost() const {
    return {count_of(x.elements(), residual.data ? 3 : 2) * sizeof(T), count_of(x.elements(), residual.data ? 4 : 3)};
  }
};
KERNEL_FAMILY_OF_T(BatchNormInference);

// Gradients of either form. The ReLU passes d_y where y > 0. Without a residual that can be recomputed from x, to the
// last bit, which saves reading y and keeping it.
template <class T>
struct BatchNormBackward {
  static constexpr const char* name = "batch_norm_backward";
  FeatureMap<const T> x;
  FeatureMap<const T> y;  // data is nullptr: recomputed, which a residual rules out; not read without relu
  FeatureMap<const T> d_y;
  FeatureMap<const T> d_x_so_far;  // data is nullptr: none; else added to d_x
  FeatureMap<T> d_x;               // may be d_x_so_far's memory, or d_y's when d_residual is not d_y's memory
  FeatureMap<T> d_residual;        // data is nullptr: no residual; the masked d_y; may be d_y's memory
  const float* mean;               // [channels] as the forward pass used it
  const float* rstd;               // [channels]
  const float* scale;              // [channels] gamma rstd
  const float* offset;             // [channels] of the forward pass, or beta; read only where y is recomputed
  const float* rounding_errors;    // [2][channels] of the forward pass; nullptr: none
  float* d_gamma;                  // [channels], overwritten; nullptr: not wanted
  float* d_beta;                   // [channels], overwritten; nullptr: not wanted
  bool relu;                       // as in the forward pass
  bool batch_statistics;           // true: BatchNormForward; false: fixed statistics, so d_x has no mean terms
  void* workspace = nullptr;       // workspace_bytes(arguments), 64-byte aligned

  bool recomputes_y() const { return relu && !y.data; }
  bool needs_sums() const { return batch_statistics || d_gamma || d_beta; }

  Cost cost() const {
    const int mask = relu && y.data ? 1 : 0, sums = needs_sums() ? 2 + mask : 0;
    const int reads_x = batch_statistics || recomputes_y() ? 1 : 0;
    const int apply = 2 + mask + reads_x + (d_residual.data ? 1 : 0) + (d_x_so_far.data ? 1 : 0);
    return {count_of(x.elements(), sums + apply) * sizeof(T), count_of(x.elements(), recomputes_y() ? 13 : 9)};
  }
};
KERNEL_FAMILY_OF_T(BatchNormBackward);
template <class T>
std::size_t workspace_bytes(const BatchNormBackward<T>& arguments, const Device& device);

// Folds a following batch norm with fixed statistics into a convolution:
// folded_weight = weight * gamma / sqrt(variance + epsilon) by output channel, folded_bias = beta - mean * that factor.
struct FoldBatchNorm {
  static constexpr const char* name = "fold_batch_norm";
  const float* weight;  // [out_channels / out_block][inner][out_block]: the device order of convolution weights
  const float *gamma, *beta, *running_mean, *running_variance;  // [out_channels]
  float* folded_weight;                                         // as weight
  float* folded_bias;                                           // [out_channels]
  int out_channels, out_block, inner;                           // inner = in_channels * kernel height * kernel width
  float epsilon;

  Cost cost() const { return {2 * count_of(out_channels, inner) * sizeof(float), count_of(out_channels, inner)}; }
};
KERNEL_FAMILY(FoldBatchNorm);

}  // namespace preceptor::kernels
