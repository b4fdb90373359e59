// Plain functions over Boost.Math, whose headers are compiled here only.
#include "data/metrics/distributions.h"

#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace preceptor {

namespace math = boost::math;

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
