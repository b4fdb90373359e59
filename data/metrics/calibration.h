// Calibration of probabilities: proper scores and reliability.
#pragma once

#include "data/metrics/finding.h"

namespace preceptor {

// Mean of (probability - label)^2 over known rows (Brier 1950, the form for one finding). NaN without known rows.
double brier_score(const Finding& finding, const SampleWeights& times = {});

// Mean of -log(probability of the true label), natural logarithm; clamps probabilities to 2^-52 from 0 and 1 as
// sklearn.metrics.log_loss does.
double log_loss(const Finding& finding, const SampleWeights& times = {});

// The same for classes, probabilities [rows, outputs] and class labels [rows]: the sum over classes of (probability -
// indicator)^2 (Brier's original form, from 0 to 2), and -log of the true class's probability.
double class_brier_score(const std::vector<double>& probabilities, const std::vector<float>& labels, int outputs);
double class_log_loss(const std::vector<double>& probabilities, const std::vector<float>& labels, int outputs);

struct ReliabilityBin {
  double low, high;             // probabilities in (low, high]; the first bin holds 0 too
  std::uint64_t count = 0;      // known rows
  double mean_probability = 0;  // NaN in an empty bin
  double positive_share = 0;    // NaN in an empty bin
};

// Equal widths (Guo et al. 2017), or equal numbers of rows (Nixon et al. 2019): rows with equal probabilities share the
// bin of the middle one, so bins may differ in size, and empty ones are left out.
enum class Binning { equal_width, equal_count };
inline constexpr int default_bins = 15;
std::vector<ReliabilityBin> reliability(const Finding& finding, Binning binning = Binning::equal_width,
                                        int bins = default_bins, const SampleWeights& times = {});

// Mean over rows, and maximum over bins, of |positive share - mean probability| (Naeini et al. 2015). Expected
// calibration error with equal widths is ECE, with equal numbers ACE; the maximum with equal widths is MCE.
double expected_calibration_error(const std::vector<ReliabilityBin>& bins);
double maximum_calibration_error(const std::vector<ReliabilityBin>& bins);

// For classes: the probability of the most probable class (the lowest of equals), and whether it was the true one.
Finding top_class(const std::vector<double>& probabilities, const std::vector<float>& labels, int outputs);

}  // namespace preceptor
