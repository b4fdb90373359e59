// How a model does for parts of the patients, and how far the parts lie apart.
#pragma once

#include "data/metrics/bootstrap.h"

namespace preceptor {

struct Group {
  std::string name;       // "sex=F", "sex=F, age=20-39"
  std::vector<int> rows;  // of the table, rising
};

// Of one group, means over the findings that are defined there.
struct GroupMetrics {
  std::string name;
  int rows = 0;
  std::uint64_t positives = 0;
  Interval auc, sensitivity, false_positive_rate, calibration_error;  // ECE, equal widths
  // Sensitivity minus that of the other group where there are two, minus the median over the groups where there are
  // more (the author's code: sex and age); and the same of the AUC.
  Interval sensitivity_gap, auc_gap;
};

// thresholds [findings]; NaN leaves a finding out of sensitivity and false positive rate. Intervals are percentile
// bootstrap ones over the whole table, so that gaps are paired.
std::vector<GroupMetrics> group_metrics(const std::vector<Finding>& findings, const std::vector<double>& thresholds,
                                        const std::vector<Group>& groups, const BootstrapOptions& options);

// What one model says of all rows, and where it decides.
struct Decider {
  std::vector<Finding> findings;
  std::vector<double> thresholds;  // [findings]
};

// Gaps as above of two models side by side, and how far the second's lies from the first's: did a student inherit its
// teacher's gap?
struct GapChange {
  std::string name;
  int rows = 0;
  Interval first_auc_gap, second_auc_gap, auc_change;  // change: second minus first
  Interval first_sensitivity_gap, second_sensitivity_gap, sensitivity_change;
};

// Each side is the mean of its models (one per seed) on the same rows; one bootstrap for both sides, so that changes
// are paired.
std::vector<GapChange> gap_changes(const std::vector<Decider>& first, const std::vector<Decider>& second,
                                   const std::vector<Group>& groups, const BootstrapOptions& options);

}  // namespace preceptor
