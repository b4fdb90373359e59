// Max and average pooling over windows, and the average over whole maps.
#pragma once

#include "kernels/device/device.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// y = maximum over the window; padding never wins.
struct MaxPoolForward {
  static constexpr const char* name = "max_pool_forward";
  FeatureMap<const float> x;
  FeatureMap<float> y;          // height = (x.height + 2 padding - window) / stride + 1, likewise width
  std::uint8_t* winner;         // [elements of y, y's layout with pitch == channels] row * window + column of the first
                                // maximum; nullptr when no gradient follows
  int window, stride, padding;  // window <= 15, padding <= window / 2
};
Cost cost(const MaxPoolForward& arguments);
void run_on(Cpu, const MaxPoolForward& arguments);

struct MaxPoolBackward {
  static constexpr const char* name = "max_pool_backward";
  FeatureMap<const float> d_y;
  const std::uint8_t* winner;
  FeatureMap<float> d_x;  // overwritten
  int window, stride, padding;
};
Cost cost(const MaxPoolBackward& arguments);
void run_on(Cpu, const MaxPoolBackward& arguments);

// y = mean over the window; positions in the padding count as zeros when count_padding is set (torch's default).
struct AveragePoolForward {
  static constexpr const char* name = "average_pool_forward";
  FeatureMap<const float> x;
  FeatureMap<float> y;
  int window, stride, padding;
  bool count_padding;
};
Cost cost(const AveragePoolForward& arguments);
void run_on(Cpu, const AveragePoolForward& arguments);

struct AveragePoolBackward {
  static constexpr const char* name = "average_pool_backward";
  FeatureMap<const float> d_y;
  FeatureMap<float> d_x;  // overwritten
  int window, stride, padding;
  bool count_padding;
};
Cost cost(const AveragePoolBackward& arguments);
void run_on(Cpu, const AveragePoolBackward& arguments);

// y[image, channel] = mean over the plane.
struct GlobalAveragePoolForward {
  static constexpr const char* name = "global_average_pool_forward";
  FeatureMap<const float> x;
  float* y;  // [images, channels]
};
Cost cost(const GlobalAveragePoolForward& arguments);
void run_on(Cpu, const GlobalAveragePoolForward& arguments);

struct GlobalAveragePoolBackward {
  static constexpr const char* name = "global_average_pool_backward";
  const float* d_y;       // [images, channels]
  FeatureMap<float> d_x;  // overwritten
};
Cost cost(const GlobalAveragePoolBackward& arguments);
void run_on(Cpu, const GlobalAveragePoolBackward& arguments);

}  // namespace preceptor::kernels
