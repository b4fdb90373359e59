// Operations on each element alone, and the sum of a short vector.
#pragma once

#include "kernels/device/family.h"
#include "kernels/device/feature_map.h"

namespace preceptor::kernels {

// Maps are stored in T, float or bfloat16 (cpu: float): channel-blocked on the cpu, channels-last on cuda and emulated.

// An operation per element, and a value of each of `maps` maps read or written.
template <class T>
Cost cost_per_element(const FeatureMap<T>& map, int maps) {
  return {count_of(map.elements(), maps) * sizeof(T), count_of(map.elements())};
}

// y = max(x, 0); a NaN stays a NaN.
template <class T>
struct ReluForward {
  static constexpr const char* name = "relu_forward";
  FeatureMap<const T> x;
  FeatureMap<T> y;  // may be x's memory

  Cost cost() const { return cost_per_element(x, 2); }
};
KERNEL_FAMILY_OF_T(ReluForward);

// d_x = d_y where y > 0, else 0.
template <class T>
struct ReluBackward {
  static constexpr const char* name = "relu_backward";
  FeatureMap<const T> y, d_y;
  FeatureMap<T> d_x;  // may be d_y's memory

  Cost cost() const { return cost_per_element(y, 3); }
};
KERNEL_FAMILY_OF_T(ReluBackward);

// y = x where x is not negative, else slope x; a NaN stays a NaN.
template <class T>
struct LeakyReluForward {
  static constexpr const char* name = "leaky_relu_forward";
  FeatureMap<const T> x;
  FeatureMap<T> y;  // may be x's memory
  float slope;      // in (0, 1)

  Cost cost() const { return cost_per_element(x, 2); }
};
KERNEL_FAMILY_OF_T(LeakyReluForward);

// d_x = d_y where y > 0, else slope d_y.
template <class T>
struct LeakyReluBackward {
  static constexpr const char* name = "leaky_relu_backward";
  FeatureMap<const T> y, d_y;
  FeatureMap<T> d_x;  // may be d_y's memory
  float slope;

  Cost cost() const { return cost_per_element(y, 3); }
};
KERNEL_FAMILY_OF_T(LeakyReluBackward);

// y = max(x, the margin of its channel); a NaN stays a NaN. Maps without gaps.
template <class T>
struct MarginRelu {
  static constexpr const char* name = "margin_relu";
  FeatureMap<const T> x;
  FeatureMap<T> y;
  const float* margin;  // [channels]

  Cost cost() const {
    const Cost maps = cost_per_element(x, 2);
    return {maps.bytes + count_of(x.channels) * sizeof(float), maps.operations};
  }
};
KERNEL_FAMILY_OF_T(MarginRelu);

// out = a + b.
template <class T>
struct Add {
  static constexpr const char* name = "add";
  FeatureMap<const T> a, b;
  FeatureMap<T> out;  // may be a's or b's memory

  Cost cost() const { return cost_per_element(a, 3); }
};
KERNEL_FAMILY_OF_T(Add);

// x = factor * x, the factor in device memory: a weight that changes between replays of a recorded step.
template <class T>
struct ScaleBy {
  static constexpr const char* name = "scale_by";
  T* x;                 // [count]
  const float* factor;  // [1]
  std::int64_t count;

  Cost cost() const { return {2 * count_of(count) * sizeof(T), count_of(count)}; }
};
KERNEL_FAMILY_OF_T(ScaleBy);

// Logits that labels alone decide: `of_label` where an entry is the row's label or a target is 1, `of_others`
// elsewhere, and the student's own where nothing is known.
struct LabelLogits {
  static constexpr const char* name = "label_logits";
  const float* labels;   // [rows] class index, or [rows, classes] targets where multi_label; NaN: unknown
  const float* student;  // [rows, classes]
  float* logits;         // [rows, classes]
  int rows, classes;
  bool multi_label;
  float of_label, of_others;

  ON_ANY_DEVICE float logit(std::int64_t at) const {
    const float label = labels[multi_label ? at : at / classes];
    const float wanted = multi_label ? 1.0f : static_cast<float>(at % classes);
    return label != label ? student[at] : label == wanted ? of_label : of_others;
  }

  Cost cost() const {
    const double entries = count_of(rows, classes);
    return {(2 * entries + (multi_label ? entries : rows)) * sizeof(float), 0};
  }
};
KERNEL_FAMILY(LabelLogits);

struct Fill {
  static constexpr const char* name = "fill";
  float* to;  // [count]
  float value;
  std::int64_t count;

  Cost cost() const { return {count_of(count) * sizeof(float), 0}; }
};
KERNEL_FAMILY(Fill);

// total += sum of values, in double: how losses are added up over an epoch without a synchronization.
struct AccumulateSum {
  static constexpr const char* name = "accumulate_sum";
  const float* values;  // [count]
  int count;
  double* total;  // [1]

  Cost cost() const { return {count_of(count) * sizeof(float) + 2 * sizeof(double), count_of(count)}; }
};
KERNEL_FAMILY(AccumulateSum);

}  // namespace preceptor::kernels
