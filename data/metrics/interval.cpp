// Intervals of means, shares and normal estimates.
#include "data/metrics/interval.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/metrics/distributions.h"

namespace preceptor {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

}  // namespace

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
  // At 0 and all the bound is the share itself, which rounding would miss.
  return {share, part == 0 ? 0 : center - half, part == total ? 1 : center + half};
}

Interval normal_interval(double value, double standard_error, double least, double most, double level) {
  const double half = normal_quantile((1 + level) / 2) * standard_error;
  // A NaN passes through std::clamp: bounds of an undefined error are undefined.
  return {value, std::clamp(value - half, least, most), std::clamp(value + half, least, most)};
}

}  // namespace preceptor
