// Tests for a difference between two models, and the sample size that shows it.
#pragma once

#include <limits>

#include "data/metrics/decisions.h"
#include "data/metrics/delong.h"

namespace preceptor {

// A difference, its 95 % interval and the two-sided p of no difference; NaN where undefined.
struct Difference {
  Interval interval;
  double standard_error = 0, p = 0;
  double p_holm = std::numeric_limits<double>::quiet_NaN();  // corrected for multiple tests by adjust()
};

// Two AUCs, or means of AUCs, of the same rows (DeLong et al. 1988). p is 1 if both have the same deviations.
Difference compare_aucs(const AucEstimate& first, const AucEstimate& second, const Clusters& clusters = {});

// The means of paired values (one per seed): Student's paired t test.
Difference compare_paired(const std::vector<double>& first, const std::vector<double>& second);

// McNemar 1947 on decisions about the same rows: only rows on which exactly one of the two is right count.
struct McNemar {
  std::uint64_t only_first_right = 0, only_second_right = 0;
  double exact_p = 1;      // binomial, two-sided, for any count
  double corrected_p = 1;  // chi squared with Edwards' continuity correction (1948), for counts above 25
};
McNemar compare_decisions(const std::vector<bool>& first_right, const std::vector<bool>& second_right);

// Holm 1979: p values adjusted to keep the probability of any false finding below the level. In the given order; NaN
// stays NaN and is not counted.
std::vector<double> holm(const std::vector<double>& p_values);
// Sets p_holm of these differences.
void adjust(const std::vector<Difference*>& differences);

// Test that first is worse than second by less than `margin` (> 0): the one-sided p of "difference <= -margin" and the
// lower 97.5 % bound that must lie above -margin (ICH E9).
struct NonInferiority {
  double p = 0, bound = 0;
  bool shown = false;  // bound > -margin
};
NonInferiority non_inferiority(const Difference& difference, double margin);

// Number of images that shows a true difference (not 0) with the given power at a two-sided level: the standard error
// observed on `images` shrinks with the square root of their number (Obuchowski and McClish 1997).
double sample_size(double standard_error, double images, double difference, double power = 0.8, double level = 0.05);

}  // namespace preceptor
