// Max and average pooling over windows, and the average over whole maps.
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// Maps are stored in T, float or bfloat16 (cpu: float): channel-blocked on the cpu, channels-last on cuda and emulated.
// Averages over whole maps are float: what is left of a map is for a classifier or a loss.

// y = maximum over the window; padding never wins.
template <class T>
struct MaxPoolForward {
  static constexpr const char* name = "max_pool_forward";
  FeatureMap<const T> x;
  FeatureMap<T> y;       // height = (x.height + 2 padding - window) / stride + 1, likewise width
  std::uint8_t* winner;  // [elements of y, y's layout with channel_stride == channels] row * window + column of the
                         // first maximum; nullptr when no gradient follows
  int window, stride, padding;  // window <= 15, padding <= window / 2
};
template <class T>
Cost cost(const MaxPoolForward<T>& arguments);
void run_on(Cpu, const MaxPoolForward<float>& arguments);
template <class T>
void run_on(Cuda, const MaxPoolForward<T>& arguments);
template <class T>
void run_on(Emulated, const MaxPoolForward<T>& arguments);

template <class T>
struct MaxPoolBackward {
  static constexpr const char* name = "max_pool_backward";
  FeatureMap<const T> d_y;
  const std::uint8_t* winner;
  FeatureMap<T> d_x;  // overwritten
  int window, stride, padding;
};
template <class T>
Cost cost(const MaxPoolBackward<T>& arguments);
void run_on(Cpu, const MaxPoolBackward<float>& arguments);
template <class T>
void run_on(Cuda, const MaxPoolBackward<T>& arguments);
template <class T>
void run_on(Emulated, const MaxPoolBackward<T>& arguments);

// y = mean over the window; positions in the padding count as zeros when count_padding is set (torch's default).
template <class T>
struct AveragePoolForward {
  static constexpr const char* name = "average_pool_forward";
  FeatureMap<const T> x;
  FeatureMap<T> y;
  int window, stride, padding;
  bool count_padding;
};
template <class T>
Cost cost(const AveragePoolForward<T>& arguments);
void run_on(Cpu, const AveragePoolForward<float>& arguments);
template <class T>
void run_on(Cuda, const AveragePoolForward<T>& arguments);
template <class T>
void run_on(Emulated, const AveragePoolForward<T>& arguments);

template <class T>
struct AveragePoolBackward {
  static constexpr const char* name = "average_pool_backward";
  FeatureMap<const T> d_y;
  FeatureMap<T> d_x;  // overwritten
  int window, stride, padding;
  bool count_padding;
};
template <class T>
Cost cost(const AveragePoolBackward<T>& arguments);
void run_on(Cpu, const AveragePoolBackward<float>& arguments);
template <class T>
void run_on(Cuda, const AveragePoolBackward<T>& arguments);
template <class T>
void run_on(Emulated, const AveragePoolBackward<T>& arguments);

// y[image, channel] = mean over the plane.
template <class T>
struct GlobalAveragePoolForward {
  static constexpr const char* name = "global_average_pool_forward";
  FeatureMap<const T> x;
  float* y;         // [images, channels]
  void* workspace;  // workspace_bytes(arguments), 64-byte aligned
};
template <class T>
Cost cost(const GlobalAveragePoolForward<T>& arguments);
template <class T>
std::size_t workspace_bytes(const GlobalAveragePoolForward<T>& arguments, const Device& device);
void run_on(Cpu, const GlobalAveragePoolForward<float>& arguments);
template <class T>
void run_on(Cuda, const GlobalAveragePoolForward<T>& arguments);
template <class T>
void run_on(Emulated, const GlobalAveragePoolForward<T>& arguments);

template <class T>
struct GlobalAveragePoolBackward {
  static constexpr const char* name = "global_average_pool_backward";
  const float* d_y;   // [images, channels]
  FeatureMap<T> d_x;  // overwritten
};
template <class T>
Cost cost(const GlobalAveragePoolBackward<T>& arguments);
void run_on(Cpu, const GlobalAveragePoolBackward<float>& arguments);
template <class T>
void run_on(Cuda, const GlobalAveragePoolBackward<T>& arguments);
template <class T>
void run_on(Emulated, const GlobalAveragePoolBackward<T>& arguments);

}  // namespace preceptor::kernels
