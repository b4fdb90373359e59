// Intervals of any metric by resampling rows, optionally by patient and within strata.
#pragma once

#include <functional>

#include "data/metrics/delong.h"

namespace preceptor {

// Any statistics of the weighted rows; always the same number of them, NaN if undefined.
using Statistics = std::function<std::vector<double>(const SampleWeights&)>;

// One of forty resamples is expected beyond each bound of a 95 % interval; fewer do not determine the quantiles.
constexpr int fewest_resamples = 40, most_resamples = 1'000'000;
// Errors: usage, unless `resamples`, the value of --bootstrap, is 0 (no intervals) or between the two.
void require_resamples(int resamples);

struct BootstrapOptions {
  int resamples = 1000;
  std::uint64_t seed = 0;
  Clusters clusters = {};  // resampled as a whole (patients); empty: rows. Cluster bootstrap (Field and Welsh 2007)
  Clusters strata = {};    // [rows]: each stratum is resampled on its own; empty: one stratum
  int threads = 0;         // 0: all; the result does not depend on it
};

// The statistics of every resample, from which intervals and p values are computed.
struct Bootstrap {
  std::vector<double> estimates;             // [statistics] on the rows as they are
  std::vector<std::vector<double>> samples;  // [statistics][resamples], unsorted, NaN where undefined
  std::vector<double> accelerations;  // [statistics] for BCa, from a jackknife over at most 200 groups of clusters

  // Number of resamples with an undefined statistic; intervals leave them out.
  int undefined_samples(std::size_t statistic) const;
  // The quantiles of the samples by numpy.percentile's linear rule. NaN without a defined sample.
  Interval percentile(std::size_t statistic, double level = 0.95) const;
  // Bias-corrected and accelerated (Efron 1987). Falls back to the percentile interval if all samples lie on one side
  // of the estimate.
  Interval bca(std::size_t statistic, double level = 0.95) const;
  // Two-sided p of "the statistic, a difference, is 0": 2 min(share <= 0, share >= 0), with one added to each count
  // (Davison and Hinkley 1997, section 4.2), at most 1.
  double p_of_zero(std::size_t statistic) const;
};

// Resample r has its own random stream. `rows` is the number of rows. The jackknife runs only for `accelerate`.
// Errors: usage, if clusters or strata have another size or a cluster lies in two strata.
Bootstrap bootstrap(const Statistics& statistics, int rows, const BootstrapOptions& options, bool accelerate = false);

}  // namespace preceptor
