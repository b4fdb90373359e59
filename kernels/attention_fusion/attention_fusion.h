// Two maps added up with weights that an attention map gives every position (ReviewKD, Chen et al. 2021).
#pragma once

#include "kernels/device/family.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// Maps are stored in T, float or bfloat16 (cpu: float): channel-blocked on the cpu, channels-last on cuda and emulated,
// without gaps. All have the same images, height and width.

// out = x sigmoid(attention[0]) + y sigmoid(attention[1]), each attention a map of one channel.
template <class T>
struct AttentionFusion {
  static constexpr const char* name = "attention_fusion";
  FeatureMap<const T> x, y;       // equal channels
  FeatureMap<const T> attention;  // 2 channels
  FeatureMap<T> out;

  Cost cost() const {
    const double values = count_of(x.elements()), pixels = count_of(x.images, x.plane());
    return {(3 * values + 2 * pixels) * sizeof(T), 3 * values + 2 * pixels};
  }
};
KERNEL_FAMILY_OF_T(AttentionFusion);

// The derivatives by all three.
template <class T>
struct AttentionFusionBackward {
  static constexpr const char* name = "attention_fusion_backward";
  FeatureMap<const T> x, y, attention, d_out;
  FeatureMap<T> d_x, d_y, d_attention;

  Cost cost() const {
    const double values = count_of(x.elements()), pixels = count_of(x.images, x.plane());
    return {(5 * values + 4 * pixels) * sizeof(T), 6 * values + 6 * pixels};
  }
};
KERNEL_FAMILY_OF_T(AttentionFusionBackward);

}  // namespace preceptor::kernels
