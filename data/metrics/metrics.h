// The summary of a network on a split: AUCs, their bootstrap interval, accuracy.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/metrics/bootstrap.h"
#include "engine/task.h"

namespace preceptor {

// The areas and the accuracy of one split, which training watches.
struct Evaluation {
  int count = 0;
  double auc_macro = 0;              // mean of the defined per-label AUCs; NaN if none is defined
  double auc_low = 0, auc_high = 0;  // 95 % percentile bootstrap interval of auc_macro over images; NaN without one
  // [outputs]; classes: one against the rest (for 2 classes one entry, that of class 1)
  std::vector<std::optional<double>> auc;
  std::vector<std::string> auc_names;  // [auc entries]
  std::vector<std::string> undefined;  // labels left out of the macro mean
  double accuracy = 0;                 // classes: arg max; findings: mean over known labels at probability 0.5
};

// Areas and interval of findings (findings_of); no interval without resamples. Leaves the accuracy to the caller.
Evaluation evaluate_findings(const std::vector<Finding>& findings, const BootstrapOptions& options);

// Classes: arg max; findings: mean over those with known labels at probability 0.5. NaN without known labels.
double accuracy_of(Task task, int outputs, const std::vector<double>& probabilities, const std::vector<float>& labels);

// Both at once. probabilities [count, outputs] (softmax or sigmoid, depending on the task), labels as in Split.
Evaluation evaluate_scores(Task task, int outputs, const std::vector<std::string>& label_names,
                           const std::vector<float>& probabilities, const std::vector<float>& labels, int resamples,
                           std::uint64_t seed);

}  // namespace preceptor
