// Metrics of one class out of several, also of grades in order.
#pragma once

#include "data/metrics/finding.h"

namespace preceptor {

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

  // Cohen's kappa with weights (i - j)^2 (Cohen 1968): 1 - sum w observed / sum w expected. NaN where only one class
  // occurs in truth and prediction together.
  double quadratic_weighted_kappa() const;
  // Of class indices, for grades: the mean of |i - j|. NaN without rows.
  double mean_absolute_error() const;

 private:
  int classes_;
  std::vector<std::uint64_t> counts_;  // [classes, classes]
};

}  // namespace preceptor
