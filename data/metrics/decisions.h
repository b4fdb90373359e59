// Metrics of decisions: of findings, where a score of at least the threshold is called positive, and of classes.
#pragma once

#include "data/metrics/finding.h"
#include "data/metrics/interval.h"

namespace preceptor {

// Rows by label and decision. Rates without any rows are NaN.
struct Confusion {
  std::uint64_t true_positives = 0, false_positives = 0, true_negatives = 0, false_negatives = 0;

  std::uint64_t known() const { return true_positives + false_positives + true_negatives + false_negatives; }
  double sensitivity() const { return ratio(true_positives, true_positives + false_negatives); }  // recall
  double specificity() const { return ratio(true_negatives, true_negatives + false_positives); }
  double false_positive_rate() const { return ratio(false_positives, true_negatives + false_positives); }
  double ppv() const { return ratio(true_positives, true_positives + false_positives); }  // precision
  double npv() const { return ratio(true_negatives, true_negatives + false_negatives); }
  double f1() const { return ratio(2 * true_positives, 2 * true_positives + false_positives + false_negatives); }
  double accuracy() const { return ratio(true_positives + true_negatives, known()); }
  double balanced_accuracy() const { return (sensitivity() + specificity()) / 2; }
  double youden() const { return sensitivity() + specificity() - 1; }  // Youden 1950

 private:
  static double ratio(std::uint64_t part, std::uint64_t whole) {
    return whole == 0 ? undefined : static_cast<double>(part) / static_cast<double>(whole);
  }
};

// Rows whose label is unknown are left out. Errors: those of check().
Confusion confusion_at(const Finding& finding, double threshold, const SampleWeights& times = {});

// A rule that chooses a threshold on validation data.
struct ThresholdRule {
  enum class Kind { max_f1, youden, sensitivity, specificity };
  Kind kind = Kind::max_f1;
  double target = 0;  // of sensitivity and specificity, above 0 and at most 1
};
// "f1", "youden", "sensitivity=0.9", "specificity=0.95". Errors: usage, with the valid forms.
ThresholdRule parse_threshold_rule(const std::string& text);
std::string to_string(const ThresholdRule& rule);

// One of the scores, or just above the highest one if nothing may be called positive. max_f1 and youden: the highest
// threshold among equals. sensitivity: the highest threshold that reaches the target; specificity: the lowest. NaN if
// a class is absent.
double choose_threshold(const Finding& finding, const ThresholdRule& rule);

// The most probable class of each row of probabilities [rows, outputs], the lowest of equals.
std::vector<int> most_probable(const std::vector<double>& probabilities, int outputs);

// Rows by true class and predicted class.
class ClassConfusion {
 public:
  // labels [rows]: class indices from 0 to classes - 1. Errors: usage.
  ClassConfusion(int classes, const std::vector<int>& predicted, const std::vector<float>& labels,
                 const SampleWeights& times = {});

  int classes() const { return classes_; }
  std::uint64_t count(int truth, int predicted) const { return counts_[truth * classes_ + predicted]; }

  double accuracy() const;           // NaN without rows
  double balanced_accuracy() const;  // mean recall of the classes that occur

  // Cohen's kappa with weights (i - j)^2 (Cohen 1968): 1 - sum w observed / sum w expected. NaN if only one class
  // occurs in labels and predictions together.
  double quadratic_weighted_kappa() const;
  // Mean of |i - j| over class indices, for grades. NaN without rows.
  double mean_absolute_error() const;

 private:
  int classes_;
  std::vector<std::uint64_t> counts_;  // [classes, classes]
};

}  // namespace preceptor
