// Metrics from scores and labels, with bootstrap intervals.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace preceptor {

// Area under the ROC curve as the Mann-Whitney statistic, ties count one half; O(n log n).
// label > 0.5 is positive, NaN labels are left out. Empty when a class is absent: the AUC is then undefined.
std::optional<double> auc(const std::vector<float>& scores, const std::vector<float>& labels);

struct Evaluation {
  int count = 0;
  double auc_macro = 0;              // mean of the defined per-label AUCs; NaN if none is defined
  double auc_low = 0, auc_high = 0;  // 95 % percentile bootstrap interval of auc_macro over images
  std::vector<std::optional<double>>
      auc;  // [outputs]; multi-class: one against the rest (for 2 classes: of class 1, one entry)
  std::vector<std::string> auc_names;  // names of the entries of auc
  std::vector<std::string> undefined;  // labels left out of the macro mean
  double accuracy = 0;                 // multi-class: arg max; multi-label: mean over known labels at probability 0.5
};

// probabilities [count, outputs] (softmax or sigmoid, as the task demands), labels as in Split.
// bootstrap = 0 leaves the interval equal to the estimate. MedMNIST's conventions: two-class problems use the
// probability of class 1.
Evaluation evaluate_scores(Task task, int outputs, const std::vector<std::string>& label_names,
                           const std::vector<float>& probabilities, const std::vector<float>& labels, int bootstrap,
                           std::uint64_t seed);

}  // namespace preceptor
