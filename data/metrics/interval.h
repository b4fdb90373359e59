// A number with its interval.
#pragma once

#include <cstdint>
#include <vector>

namespace preceptor {

// The estimate and the bounds of an interval, 95 % unless a function takes a level; NaN where undefined.
struct Interval {
  double value = 0, low = 0, high = 0;
};

// Mean of independent values, for example of one run per seed, and Student's t interval around it; NaN bounds for a
// single value.
Interval t_interval(const std::vector<double>& values, double level = 0.95);

// A share with Wilson's score interval (Wilson 1927; recommended by Brown, Cai, DasGupta 2001), for rows that are
// independent. NaN for total = 0.
Interval wilson_interval(std::uint64_t part, std::uint64_t total, double level = 0.95);

// value +- quantile * error, kept within [least, most].
Interval normal_interval(double value, double standard_error, double least, double most, double level = 0.95);

}  // namespace preceptor
