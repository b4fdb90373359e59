// Metrics that depend only on the order of scores: ROC and precision-recall curves and the areas below them.
#pragma once

#include <limits>

#include "data/metrics/finding.h"

namespace preceptor {

// Rows with a score of at least `threshold` are called positive.
struct RocPoint {
  double threshold;  // infinity at the first point, which calls nothing positive
  double false_positive_rate, sensitivity;
};
struct PrecisionRecallPoint {
  double threshold;
  double recall, precision;
};

// The rows of a finding from the lowest score to the highest. Sorted once, in O(n log n); then every metric is one
// pass, also on resamples. Metrics are NaN where they are undefined: areas without both classes, precision without
// positives.
class Ranking {
 public:
  // Errors: those of check().
  explicit Ranking(const Finding& finding);

  // All (row, finding) pairs in one ranking, for micro averages; all findings have the same rows.
  static Ranking pooled(const std::vector<Finding>& findings);

  // Area under the ROC curve as the Mann-Whitney statistic: the share of pairs (positive, negative) in which the
  // positive has the higher score, ties count one half (Hanley and McNeil 1982). Pairs are counted in whole numbers.
  double auc(const SampleWeights& times = {}) const;

  // Average precision: sum over thresholds of (recall gained) * precision, no interpolation (as
  // sklearn.metrics.average_precision_score). This is the estimator behind every "AUPRC" here.
  double average_precision(const SampleWeights& times = {}) const;

  // From (0, 0) to (1, 1), a point per distinct score, in falling order of thresholds. Empty without both classes.
  std::vector<RocPoint> roc(const SampleWeights& times = {}) const;
  // A point per distinct score in falling order, so in rising order of recall. Empty without positives.
  std::vector<PrecisionRecallPoint> precision_recall(const SampleWeights& times = {}) const;

  // The ROC curve read at given rates (rising, from 0 to 1), points joined by straight lines; NaN without both classes.
  std::vector<double> sensitivity_at(const std::vector<double>& false_positive_rates,
                                     const SampleWeights& times = {}) const;
  // The highest precision at a recall of at least the given ones (rising, from 0 to 1): interpolated precision
  // (Manning, Raghavan, Schuetze 2008, section 8.4), for drawing bands.
  std::vector<double> precision_at(const std::vector<double>& recalls, const SampleWeights& times = {}) const;

  struct Entry {
    double score;
    std::int32_t row;
    bool positive;
    bool ends_tie;  // the next score is higher
  };
  const std::vector<Entry>& entries() const { return entries_; }
  std::size_t rows() const { return rows_; }              // of the finding, the unknown ones too
  std::uint64_t positives() const { return positives_; }  // known rows, each once
  std::uint64_t negatives() const { return entries_.size() - positives_; }

 private:
  Ranking() = default;
  void sort();

  std::vector<Entry> entries_;
  std::size_t rows_ = 0;
  std::uint64_t positives_ = 0;
};

std::vector<Ranking> rank_all(const std::vector<Finding>& findings);

// Means over findings, those with an undefined area left out; NaN if none is defined. Weighted: by the number of
// positives. The micro average is Ranking::pooled(findings).auc().
double macro_auc(const std::vector<Ranking>& rankings, const SampleWeights& times = {});
double weighted_auc(const std::vector<Ranking>& rankings, const SampleWeights& times = {});
double macro_average_precision(const std::vector<Ranking>& rankings, const SampleWeights& times = {});

}  // namespace preceptor
