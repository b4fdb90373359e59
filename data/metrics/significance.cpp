// Tests between two models.
#include "data/metrics/significance.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/files/check.h"

namespace preceptor {
namespace {

// p of a difference by its standard error; without one, 1 for no difference and 0 for any.
template <class TwoSided>
double p_of(double difference, double standard_error, const TwoSided& two_sided) {
  if (standard_error > 0) return two_sided(difference / standard_error);
  return std::isnan(standard_error) ? undefined : difference == 0 ? 1 : 0;
}

}  // namespace

Difference compare_aucs(const AucEstimate& first, const AucEstimate& second, const Clusters& clusters) {
  const AucEstimate apart = difference(first, second);
  Difference result;
  result.standard_error = standard_error(apart, clusters);
  result.interval = normal_interval(apart.auc, result.standard_error, -1, 1);
  result.p = p_of(apart.auc, result.standard_error, normal_two_sided);
  return result;
}

Difference compare_paired(const std::vector<double>& first, const std::vector<double>& second) {
  require(first.size() == second.size(), "metrics: ", first.size(), " and ", second.size(), " values cannot be paired");
  std::vector<double> differences;
  for (std::size_t i = 0; i < first.size(); ++i) differences.push_back(first[i] - second[i]);
  Difference result;
  result.interval = t_interval(differences);
  result.standard_error = result.p = undefined;
  if (differences.size() < 2) return result;
  const auto degrees = static_cast<double>(differences.size() - 1);
  double squares = 0;
  for (const double one : differences) squares += (one - result.interval.value) * (one - result.interval.value);
  result.standard_error = std::sqrt(squares / degrees / (degrees + 1));
  result.p = p_of(result.interval.value, result.standard_error, [&](double t) { return t_two_sided(t, degrees); });
  return result;
}

McNemar compare_decisions(const std::vector<bool>& first_right, const std::vector<bool>& second_right) {
  require(first_right.size() == second_right.size(), "metrics: ", first_right.size(), " and ", second_right.size(),
          " decisions cannot be paired");
  McNemar result;
  for (std::size_t i = 0; i < first_right.size(); ++i) {
    result.only_first_right += first_right[i] && !second_right[i] ? 1 : 0;
    result.only_second_right += !first_right[i] && second_right[i] ? 1 : 0;
  }
  const std::uint64_t less = std::min(result.only_first_right, result.only_second_right);
  const std::uint64_t apart = result.only_first_right + result.only_second_right;
  if (apart == 0) return result;
  result.exact_p = std::min(1.0, 2 * fair_coins_at_most(less, apart));
  const double excess = std::max(0.0, static_cast<double>(apart - 2 * less) - 1);
  result.corrected_p = chi_squared_above(excess * excess / static_cast<double>(apart), 1);
  return result;
}

std::vector<double> holm(const std::vector<double>& p_values) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < p_values.size(); ++i)
    if (!std::isnan(p_values[i])) order.push_back(i);
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  std::vector<double> adjusted(p_values.size(), undefined);
  double highest = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    highest = std::max(highest, std::min(1.0, static_cast<double>(order.size() - k) * p_values[order[k]]));
    adjusted[order[k]] = highest;
  }
  return adjusted;
}

void adjust(const std::vector<Difference*>& differences) {
  std::vector<double> p_values;
  for (const Difference* difference : differences) p_values.push_back(difference->p);
  const std::vector<double> adjusted = holm(p_values);
  for (std::size_t i = 0; i < differences.size(); ++i) differences[i]->p_holm = adjusted[i];
}

NonInferiority non_inferiority(const Difference& difference, double margin) {
  require(margin > 0, "metrics: a margin of ", margin, " is not above 0");
  NonInferiority result;
  const double apart = difference.interval.value + margin;
  result.bound = difference.interval.low;
  result.p = difference.standard_error > 0 ? normal_below(-apart / difference.standard_error)
                                           : (difference.standard_error == 0 ? (apart > 0 ? 0.0 : 1.0) : undefined);
  result.shown = result.bound > -margin;
  return result;
}

double sample_size(double standard_error, double images, double difference, double power, double level) {
  require(standard_error >= 0 && images > 0 && difference != 0 && power > 0 && power < 1 && level > 0 && level < 1,
          "metrics: images needed for a difference of ", difference, " with standard error ", standard_error, " on ",
          images, " images, power ", power, ", level ", level);
  const double apart = (normal_quantile(1 - level / 2) + normal_quantile(power)) * standard_error / difference;
  return std::ceil(images * apart * apart);
}

}  // namespace preceptor
