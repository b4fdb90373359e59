// Metrics of a model for groups of patients, and the gaps between the groups.
#pragma once

#include "data/metrics/bootstrap.h"

namespace preceptor {

struct Group {
  std::string name;       // "sex=F", "sex=F, age=20-39"
  std::vector<int> rows;  // of the table, rising
};

// Means over the findings that are defined in the group.
struct GroupMetrics {
  std::string name;
  int rows = 0;
  std::uint64_t positives = 0;
  Interval auc, sensitivity, false_positive_rate, calibration_error;  // ECE, equal widths
  // Sensitivity minus that of the other group if there are two, minus the median over the groups if there are more; and
  // the same for the AUC.
  Interval sensitivity_gap, auc_gap;
};

// thresholds [findings]; NaN leaves a finding out of sensitivity and false positive rate. Intervals are percentile
// bootstrap ones over the whole table, so that gaps are paired.
std::vector<GroupMetrics> group_metrics(const std::vector<Finding>& findings, const std::vector<double>& thresholds,
                                        const std::vector<Group>& groups, const BootstrapOptions& options);

// The scores of one model for all rows, with its decision thresholds.
struct Decider {
  std::vector<Finding> findings;
  std::vector<double> thresholds;  // [findings]
};

// The gaps above for two models and the difference of their gaps: did a student inherit its teacher's gap?
struct GapChange {
  std::string name;
  int rows = 0;
  Interval first_auc_gap, second_auc_gap, auc_change;  // change: second minus first
  Interval first_sensitivity_gap, second_sensitivity_gap, sensitivity_change;
};

// Each side is the mean of its models (one per seed) on the same rows. One bootstrap serves both
// sides, which pairs them.
std::vector<GapChange> gap_changes(const std::vector<Decider>& first, const std::vector<Decider>& second,
                                   const std::vector<Group>& groups, const BootstrapOptions& options);

}  // namespace preceptor
