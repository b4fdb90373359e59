// Two maps added up with weights that an attention map gives every position (ReviewKD, Chen et al. 2021).
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// Maps are stored in T, float or bfloat16 (cpu: float): channel-blocked on the cpu, channels-last on cuda and emulated,
// without gaps. All have the same images, height and width.

// out = x sigmoid(attention[0]) + y sigmoid(attention[1]), each attention a map of one channel.
template <class T>
struct AttentionFusion {
  static constexpr const char* name = "attention_fusion";
  FeatureMap<const T> x, y;       // of the same channels
  FeatureMap<const T> attention;  // of 2 channels
  FeatureMap<T> out;
};
template <class T>
Cost cost(const AttentionFusion<T>& arguments);
void run_on(Cpu, const AttentionFusion<float>& arguments);
template <class T>
void run_on(Cuda, const AttentionFusion<T>& arguments);
template <class T>
void run_on(Emulated, const AttentionFusion<T>& arguments);

// The derivatives by all three.
template <class T>
struct AttentionFusionBackward {
  static constexpr const char* name = "attention_fusion_backward";
  FeatureMap<const T> x, y, attention, d_out;
  FeatureMap<T> d_x, d_y, d_attention;
};
template <class T>
Cost cost(const AttentionFusionBackward<T>& arguments);
void run_on(Cpu, const AttentionFusionBackward<float>& arguments);
template <class T>
void run_on(Cuda, const AttentionFusionBackward<T>& arguments);
template <class T>
void run_on(Emulated, const AttentionFusionBackward<T>& arguments);

}  // namespace preceptor::kernels
