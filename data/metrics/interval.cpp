// Intervals of means, proportions and normal estimates. The headers of Boost.Math are compiled here only.
#include "data/metrics/interval.h"

#include <algorithm>
#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>

namespace preceptor {

namespace math = boost::math;

Interval t_interval(const std::vector<double>& values, double level) {
  if (values.empty()) return {undefined, undefined, undefined};
  const auto count = static_cast<double>(values.size());
  double mean = 0, squares = 0;
  for (const double value : values) mean += value / count;
  for (const double value : values) squares += (value - mean) * (value - mean);
  if (values.size() < 2) return {mean, undefined, undefined};
  const double half = t_quantile((1 + level) / 2, count - 1) * std::sqrt(squares / (count - 1) / count);
  return {mean, mean - half, mean + half};
}

Interval wilson_interval(std::uint64_t part, std::uint64_t total, double level) {
  if (total == 0) return {undefined, undefined, undefined};
  const auto n = static_cast<double>(total);
  const double share = static_cast<double>(part) / n, z = normal_quantile((1 + level) / 2), z2 = z * z;
  const double center = (share + z2 / (2 * n)) / (1 + z2 / n);
  const double half = z / (1 + z2 / n) * std::sqrt(share * (1 - share) / n + z2 / (4 * n * n));
  // At 0 and 1 the bound equals the proportion, which rounding would miss.
  return {share, part == 0 ? 0 : center - half, part == total ? 1 : center + half};
}

Interval normal_interval(double value, double standard_error, double least, double most, double level) {
  const double half = normal_quantile((1 + level) / 2) * standard_error;
  // NaN passes through std::clamp: an undefined error gives undefined bounds.
  return {value, std::clamp(value - half, least, most), std::clamp(value + half, least, most)};
}

double normal_quantile(double probability) { return math::quantile(math::normal(), probability); }
double normal_below(double value) { return math::cdf(math::normal(), value); }
double normal_two_sided(double z) { return 2 * math::cdf(math::complement(math::normal(), std::abs(z))); }
double t_quantile(double probability, double degrees) { return math::quantile(math::students_t(degrees), probability); }
double t_two_sided(double t, double degrees) {
  return 2 * math::cdf(math::complement(math::students_t(degrees), std::abs(t)));
}
double chi_squared_above(double value, double degrees) {
  return math::cdf(math::complement(math::chi_squared(degrees), value));
}
double fair_coins_at_most(std::uint64_t successes, std::uint64_t trials) {
  return math::cdf(math::binomial(static_cast<double>(trials), 0.5), static_cast<double>(successes));
}

}  // namespace preceptor
