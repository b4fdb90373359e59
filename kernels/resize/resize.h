// Maps at another size, for a teacher that takes larger or smaller images than its student.
#pragma once

#include "kernels/device/family.h"
#include "kernels/device/feature_map.h"
#include "kernels/resize/axis.h"

namespace preceptor::kernels {

// y = x with its rows weighted by one Axis and its columns by the other. Tables lie in device memory. T is float or
// bfloat16 (cpu: float); maps are channel-blocked on the cpu, channels-last on cuda and emulated.
template <class T>
struct Resize {
  static constexpr const char* name = "resize";
  FeatureMap<const T> x;
  FeatureMap<T> y;  // the images and channels of x
  const int* first_row;
  const float* row_weight;  // [y.height, row_taps]
  const int* first_column;
  const float* column_weight;  // [y.width, column_taps]
  int row_taps, column_taps;

  Cost cost() const {
    return {count_of(x.elements() + y.elements()) * sizeof(T), 2 * count_of(y.elements(), row_taps, column_taps + 1)};
  }
};
KERNEL_FAMILY_OF_T(Resize);

}  // namespace preceptor::kernels
