// Estimates with confidence intervals, and the distributions they come from.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace preceptor {

// Metrics that are undefined are NaN, and means leave them out.
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

// The estimate and the bounds of an interval, 95 % unless a function takes a level; NaN if undefined.
struct Interval {
  double value = 0, low = 0, high = 0;
};

// Mean of independent values, for example one run per seed, and Student's t interval; NaN bounds for a single value.
Interval t_interval(const std::vector<double>& values, double level = 0.95);

// A proportion with Wilson's score interval (Wilson 1927; recommended by Brown, Cai, DasGupta 2001), for independent
// rows. NaN for total = 0.
Interval wilson_interval(std::uint64_t part, std::uint64_t total, double level = 0.95);

// value +- quantile * error, clamped to [least, most].
Interval normal_interval(double value, double standard_error, double least, double most, double level = 0.95);

// Quantiles and tails, from Boost.Math.
double normal_quantile(double probability);             // probability in (0, 1)
double normal_below(double value);                      // P(Z <= value)
double normal_two_sided(double z);                      // P(|Z| >= |z|)
double t_quantile(double probability, double degrees);  // degrees > 0
double t_two_sided(double t, double degrees);
double chi_squared_above(double value, double degrees);
// P(X <= successes) of `trials` fair coins.
double fair_coins_at_most(std::uint64_t successes, std::uint64_t trials);

}  // namespace preceptor
