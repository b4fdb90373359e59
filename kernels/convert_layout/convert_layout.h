// Copies a feature map into another layout, storage type or place: concatenation, slicing, casting, and the way between
// plain order and that of the device.
#pragma once

#include "kernels/device/family.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// to = from, value by value. The maps have the same images, channels, height and width; each has its own block, and
// each may be a range of channels of a wider map. bfloat16 is rounded to nearest even, a NaN stays a NaN. From and To
// are float or bfloat16 (cpu: float). On cuda and emulated a map is plain (block 1) or
// channels-last (block == channel_stride).
template <class From, class To>
struct ConvertLayout {
  static constexpr const char* name = "convert_layout";
  FeatureMap<const From> from;
  FeatureMap<To> to;  // another memory than from

  Cost cost() const { return {count_of(to.elements()) * (sizeof(From) + sizeof(To)), 0}; }
};
void run_on(Cpu, const ConvertLayout<float, float>& arguments);
template <class From, class To>
void run_on(Cuda, const ConvertLayout<From, To>& arguments);
template <class From, class To>
void run_on(Emulated, const ConvertLayout<From, To>& arguments);

}  // namespace preceptor::kernels
