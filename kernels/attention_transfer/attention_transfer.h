// Attention transfer (Zagoruyko and Komodakis 2017) as in the authors' released code.
#pragma once

#include "kernels/device/device.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// For each image a(map) = mean over channels of map^2, flattened and divided by its L2 norm; the loss is the mean of
// (a(student) - a(teacher))^2 over images and positions. Channels may differ, heights and widths may not.
struct AttentionTransfer {
  static constexpr const char* name = "attention_transfer";
  FeatureMap<const float> student, teacher;
  float* loss;                  // [images] weight / (images * plane) * sum over positions
  FeatureMap<float> d_student;  // d (sum of loss) / d student
  float weight;
  float epsilon;  // the norm is at least this, so a dead map gives zeros and not NaN; torch's normalize uses 1e-12
};
Cost cost(const AttentionTransfer& arguments);
void run_on(Cpu, const AttentionTransfer& arguments);

}  // namespace preceptor::kernels
