// What a report says about one run's predictions, computed once: curves with bands, intervals, thresholds, calibration.
#pragma once

#include <optional>

#include "apps/report/svg.h"
#include "data/metrics/calibration.h"
#include "data/metrics/classes.h"
#include "data/metrics/subgroup.h"
#include "data/metrics/threshold.h"
#include "data/predictions/predictions.h"

namespace preceptor {

struct AnalysisOptions {
  int resamples = 1000;  // behind every bootstrap interval and band; 0: none
  std::uint64_t seed = 0;
  int threads = 0;
  ThresholdRule rule;  // of operating points, fitted on validation
};

// A curve and the 95 % band of bootstrap resamples around it, point by point.
struct BandCurve {
  svg::Points points, low, high;
};

struct LabelAnalysis {
  std::string name;
  std::uint64_t known = 0, positives = 0;
  Interval auc;                // DeLong's
  Interval average_precision;  // bootstrap
  BandCurve roc, precision_recall;
  double threshold = 0;                                        // NaN where validation has one class only
  Confusion confusion;                                         // at the threshold, on test
  Interval sensitivity, specificity;                           // Wilson's
  std::vector<ReliabilityBin> reliability, reliability_after;  // as the network gives it, and scaled
  double brier = 0, brier_after = 0, calibration_error = 0, calibration_error_after = 0;  // ECE, 15 equal widths
};

struct RunAnalysis {
  std::vector<Finding> findings;  // on test: labels, or classes one against the rest
  AucEstimate macro;
  Interval macro_auc, macro_average_precision;
  bool by_patient = false;  // whether intervals count patients, not images, as independent
  std::vector<LabelAnalysis> labels;
  // All labels of multi-label data together; of classes the most probable one: before and after the scaling that
  // validation chose (Platt per label, one temperature for classes).
  std::vector<ReliabilityBin> reliability, reliability_after;
  std::vector<std::pair<std::string, std::vector<GroupMetrics>>> subgroups;  // by column
  std::optional<ClassConfusion> confusion;                                   // of classes
};

RunAnalysis analyze(const PredictionTable& validation, const PredictionTable& test, const AnalysisOptions& options);

}  // namespace preceptor
