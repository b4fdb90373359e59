// Quantiles and tails of the distributions used by intervals and tests, from Boost.Math.
#pragma once

#include <cstdint>

namespace preceptor {

double normal_quantile(double probability);             // probability in (0, 1)
double normal_below(double value);                      // P(Z <= value)
double normal_two_sided(double z);                      // P(|Z| >= |z|)
double t_quantile(double probability, double degrees);  // degrees > 0
double t_two_sided(double t, double degrees);
double chi_squared_above(double value, double degrees);
// P(X <= successes) of `trials` fair coins.
double fair_coins_at_most(std::uint64_t successes, std::uint64_t trials);

}  // namespace preceptor
