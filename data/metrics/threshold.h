// Metrics of decisions: a score of at least the threshold is called positive.
#pragma once

#include "data/metrics/finding.h"

namespace preceptor {

// Rows by truth and decision. Rates are NaN where nothing is divided by nothing.
struct Confusion {
  std::uint64_t true_positives = 0, false_positives = 0, true_negatives = 0, false_negatives = 0;

  std::uint64_t known() const { return true_positives + false_positives + true_negatives + false_negatives; }
  double sensitivity() const;          // TP / (TP + FN): true positive rate, recall
  double specificity() const;          // TN / (TN + FP)
  double false_positive_rate() const;  // 1 - specificity
  double ppv() const;                  // TP / (TP + FP): precision
  double npv() const;                  // TN / (TN + FN)
  double f1() const;                   // 2 TP / (2 TP + FP + FN)
  double accuracy() const;             // (TP + TN) / all
  double balanced_accuracy() const;    // (sensitivity + specificity) / 2
  double youden() const;               // sensitivity + specificity - 1 (Youden 1950)
};

// Rows whose label is unknown are left out. Errors: those of check().
Confusion confusion_at(const Finding& finding, double threshold, const SampleWeights& times = {});

// How a threshold is chosen on validation data.
struct ThresholdRule {
  enum class Kind { max_f1, youden, sensitivity, specificity };
  Kind kind = Kind::max_f1;
  double target = 0;  // of sensitivity and specificity, above 0 and at most 1
};
// "f1", "youden", "sensitivity=0.9", "specificity=0.95". Errors: usage, with the valid forms.
ThresholdRule parse_threshold_rule(const std::string& text);
std::string to_string(const ThresholdRule& rule);

// One of the scores, or just above the highest one where nothing may be called positive. max_f1 and youden: the highest
// threshold among equals. sensitivity: the highest threshold that reaches the target; specificity: the lowest. NaN
// where a class is absent: nothing can then be weighed against anything.
double choose_threshold(const Finding& finding, const ThresholdRule& rule);

}  // namespace preceptor
