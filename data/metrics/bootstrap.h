// Intervals of any metric by drawing rows anew, by patient and within strata where asked.
#pragma once

#include <functional>

#include "data/metrics/delong.h"

namespace preceptor {

// Any numbers computed from rows that count so often; always the same number of them, NaN where undefined.
using Statistics = std::function<std::vector<double>(const SampleWeights&)>;

// Beyond each bound of a 95 % interval one of forty resamples is expected; from fewer the bounds are no quantiles.
constexpr int fewest_resamples = 40, most_resamples = 1'000'000;
// Errors: usage, unless `resamples`, what --bootstrap says, is 0 (no intervals) or between the two.
void require_resamples(int resamples);

struct BootstrapOptions {
  int resamples = 1000;
  std::uint64_t seed = 0;
  Units units;      // drawn as a whole (patients); empty: rows. Clustered bootstrap (Field and Welsh 2007)
  Units strata;     // [rows]: as many units are drawn within each stratum as it has; empty: one stratum
  int threads = 0;  // 0: all; the result does not depend on it
};

// What a metric gave on every resample, from which intervals and p values are read.
struct Bootstrap {
  std::vector<double> estimates;             // [statistics] on the rows as they are
  std::vector<std::vector<double>> samples;  // [statistics][resamples], unsorted, NaN where undefined
  std::vector<double> accelerations;         // [statistics] of BCa, from a jackknife over at most 200 groups of units

  // How many resamples left a statistic undefined; the intervals leave them out.
  int undefined_samples(std::size_t statistic) const;
  // The quantiles of the samples by numpy.percentile's linear rule. NaN without a defined sample.
  Interval percentile(std::size_t statistic, double level = 0.95) const;
  // Bias-corrected and accelerated (Efron 1987). Falls back to the percentile interval where all samples lie on one
  // side of the estimate.
  Interval bca(std::size_t statistic, double level = 0.95) const;
  // Two-sided p of "the statistic, a difference, is 0": 2 min(share <= 0, share >= 0), with one added to each count
  // (Davison and Hinkley 1997, section 4.2), at most 1.
  double p_of_zero(std::size_t statistic) const;
};

// Resample r has its own random stream. `rows` is the number of rows. The jackknife runs only for `accelerate`.
// Errors: usage, where units and strata have other sizes, or a unit lies in two strata.
Bootstrap bootstrap(const Statistics& statistics, int rows, const BootstrapOptions& options, bool accelerate = false);

}  // namespace preceptor
