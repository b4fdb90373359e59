// Metrics that are undefined are NaN, and means leave them out.
#pragma once

#include <cmath>
#include <limits>

namespace preceptor {

inline constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

// The weighted mean of the defined values; NaN without any.
class Mean {
 public:
  void add(double value, double weight = 1) {
    if (std::isnan(value)) return;
    sum_ += weight * value;
    weights_ += weight;
  }
  double value() const { return weights_ > 0 ? sum_ / weights_ : undefined; }

 private:
  double sum_ = 0, weights_ = 0;
};

}  // namespace preceptor
