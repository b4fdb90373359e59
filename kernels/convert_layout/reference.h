// The copy as a plain loop over values in plain order: the specification that every device is tested against.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace preceptor::kernels::reference {

// The nearest number with 8 significant bits, of two equally near ones that with an even last bit. Numbers below 2^-126
// are multiples of 2^-133; half a step above the largest number, 2^128 - 2^120, infinity begins.
inline double nearest_bfloat16(double value) {
  if (!std::isfinite(value) || value == 0) return value;
  int exponent;
  std::frexp(value, &exponent);  // |value| is in [2^(exponent - 1), 2^exponent)
  const double step = std::ldexp(1.0, std::max(exponent - 8, -133));
  const double nearest = std::nearbyint(value / step) * step;  // halves go to the even number
  return std::abs(nearest) < 0x1p128 ? nearest : std::copysign(HUGE_VAL, value);
}

inline std::vector<double> copy(std::vector<double> values, bool to_bfloat16) {
  if (to_bfloat16)
    for (double& value : values) value = nearest_bfloat16(value);
  return values;
}

}  // namespace preceptor::kernels::reference
