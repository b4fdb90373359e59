// Max and average pooling over windows, and the average over whole maps.
#pragma once

#include "kernels/device/family.h"
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

  Cost cost() const {
    const double outputs = count_of(y.elements());
    return {(count_of(x.elements()) + outputs) * sizeof(T) + (winner ? outputs : 0), outputs * window * window};
  }
};
KERNEL_FAMILY_OF_T(MaxPoolForward);

template <class T>
struct MaxPoolBackward {
  static constexpr const char* name = "max_pool_backward";
  FeatureMap<const T> d_y;
  const std::uint8_t* winner;
  FeatureMap<T> d_x;  // overwritten
  int window, stride, padding;

  Cost cost() const {
    const double outputs = count_of(d_y.elements());
    return {(count_of(d_x.elements()) + outputs) * sizeof(T) + outputs, outputs};
  }
};
KERNEL_FAMILY_OF_T(MaxPoolBackward);

// y = mean over the window; positions in the padding count as zeros when count_padding is set (torch's default).
template <class T>
struct AveragePoolForward {
  static constexpr const char* name = "average_pool_forward";
  FeatureMap<const T> x;
  FeatureMap<T> y;
  int window, stride, padding;
  bool count_padding;

  Cost cost() const {
    return {count_of(x.elements() + y.elements()) * sizeof(T), count_of(y.elements(), window, window)};
  }
};
KERNEL_FAMILY_OF_T(AveragePoolForward);

template <class T>
struct AveragePoolBackward {
  static constexpr const char* name = "average_pool_backward";
  FeatureMap<const T> d_y;
  FeatureMap<T> d_x;  // overwritten
  int window, stride, padding;
  bool count_padding;

  Cost cost() const {
    return {count_of(d_x.elements() + d_y.elements()) * sizeof(T), count_of(d_y.elements(), window, window)};
  }
};
KERNEL_FAMILY_OF_T(AveragePoolBackward);

// y[image, channel] = mean over the plane.
template <class T>
struct GlobalAveragePoolForward {
  static constexpr const char* name = "global_average_pool_forward";
  FeatureMap<const T> x;
  float* y;                   // [images, channels]
  void* workspace = nullptr;  // workspace_bytes(arguments), 64-byte aligned

  Cost cost() const {
    const double elements = count_of(x.elements());
    return {elements * sizeof(T) + count_of(x.images, x.channels) * sizeof(float), elements};
  }
};
KERNEL_FAMILY_OF_T(GlobalAveragePoolForward);
template <class T>
std::size_t workspace_bytes(const GlobalAveragePoolForward<T>& arguments, const Device& device);

template <class T>
struct GlobalAveragePoolBackward {
  static constexpr const char* name = "global_average_pool_backward";
  const float* d_y;   // [images, channels]
  FeatureMap<T> d_x;  // overwritten

  Cost cost() const {
    const double averages = count_of(d_x.images, d_x.channels);
    return {count_of(d_x.elements()) * sizeof(T) + averages * sizeof(float), averages};
  }
};
KERNEL_FAMILY_OF_T(GlobalAveragePoolBackward);

}  // namespace preceptor::kernels
