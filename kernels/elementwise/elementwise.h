// Operations on each element alone, and the sum of a short vector.
#pragma once

#include "kernels/device/device.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// y = max(x, 0); a NaN stays a NaN.
struct ReluForward {
  static constexpr const char* name = "relu_forward";
  FeatureMap<const float> x;
  FeatureMap<float> y;  // may be x's memory
};
Cost cost(const ReluForward& arguments);
void run_on(Cpu, const ReluForward& arguments);

// d_x = d_y where y > 0, else 0.
struct ReluBackward {
  static constexpr const char* name = "relu_backward";
  FeatureMap<const float> y, d_y;
  FeatureMap<float> d_x;  // may be d_y's memory
};
Cost cost(const ReluBackward& arguments);
void run_on(Cpu, const ReluBackward& arguments);

// out = a + b.
struct Add {
  static constexpr const char* name = "add";
  FeatureMap<const float> a, b;
  FeatureMap<float> out;  // may be a's or b's memory
};
Cost cost(const Add& arguments);
void run_on(Cpu, const Add& arguments);

struct Fill {
  static constexpr const char* name = "fill";
  float* to;  // [count]
  float value;
  std::int64_t count;
};
Cost cost(const Fill& arguments);
void run_on(Cpu, const Fill& arguments);

// total += sum of values, in double: how losses are added up over an epoch without a synchronisation.
struct AccumulateSum {
  static constexpr const char* name = "accumulate_sum";
  const float* values;  // [count]
  int count;
  double* total;  // [1]
};
Cost cost(const AccumulateSum& arguments);
void run_on(Cpu, const AccumulateSum& arguments);

}  // namespace preceptor::kernels
