// All numbers of one evaluation, computed from a table of predictions: for people, for programs and for plotting.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/evaluation/source.h"
#include "data/metrics/calibration.h"
#include "data/metrics/decisions.h"
#include "data/metrics/metrics.h"
#include "data/metrics/subgroup.h"

namespace preceptor {

// Choices of assessments and comparisons alike.
struct EvaluationOptions {
  int resamples = 1000;  // 0: no bootstrap intervals
  std::uint64_t seed = 0;
  int threads = 0;
  // Refits the thresholds on validation; none: as the checkpoint has them, or by f1 where it has none.
  std::optional<ThresholdRule> rule = {};
  std::vector<std::string> subgroups = {};  // "sex", "age", "sex+age"
  int minimum_group = 20;

  BootstrapOptions resampling(const PredictionTable& table) const;  // by patient where the table knows them
};

struct AssessmentOptions : EvaluationOptions {
  bool bca = false;                // BCa intervals instead of percentiles
  double missing_threshold = 0.5;  // if validation has one class only; NaN: nothing is decided there
  bool curves = false;             // bootstrap bands around ROC and precision-recall curves
};

// Calibration of probabilities; means over findings, or for classes Brier's sum over classes and the errors of the most
// probable class.
struct Calibration {
  double brier = 0, log_loss = 0;
  double expected = 0, adaptive = 0, maximum = 0;  // ECE, ACE, MCE over 15 bins
  std::vector<ReliabilityBin> bins;                // all findings pooled, or the most probable class
  double pooled = 0;                               // ECE of `bins`
};

// Values at rising x, each with the interval of bootstrap resamples.
using Curve = std::vector<std::pair<double, Interval>>;

struct LabelAssessment {
  std::string name;
  std::uint64_t known = 0, positives = 0;
  Interval auc;                // DeLong
  Interval average_precision;  // bootstrap
  double threshold = 0.5;
  Confusion confusion;                          // at the threshold
  Interval sensitivity, specificity, ppv, npv;  // Wilson
  Calibration calibration;
  std::optional<Calibration> calibrated;
  Curve roc, precision_recall;  // where AssessmentOptions::curves asks for them
};

struct Assessment {
  std::string name;
  int rows = 0, patients = 0;  // patients: 0 where the table does not know them
  Evaluation summary;          // as in result.json, its interval by percentiles
  double loss = 0;
  Interval auc_delong;                                 // of the macro average, by patient where known
  Interval auc_macro, auc_weighted, auc_micro;         // bootstrap
  Interval average_precision;                          // bootstrap, macro
  std::optional<ClassConfusion> confusion;             // for classes
  std::optional<Interval> balanced_accuracy;           // bootstrap, for classes
  std::optional<Interval> kappa, mean_absolute_error;  // bootstrap, from 3 classes
  std::optional<OperatingPoint> point;                 // gave the thresholds; without one they are 0.5
  std::vector<LabelAssessment> labels;                 // findings, or classes against the rest
  Calibration calibration;                             // of the probabilities as they are
  std::optional<Calibration> calibrated;               // after the scalings fitted on validation
  std::vector<std::pair<std::string, std::vector<GroupMetrics>>> subgroups;  // by column
};

// Thresholds and scalings: fitted on source.validation where there is one, else source.point, else 0.5 and none.
// Errors: usage, for a rule without validation and for subgroups of unknown columns.
std::optional<OperatingPoint> operating_point_of(const Source& source, const std::optional<ThresholdRule>& rule);
Assessment assess(const Source& source, const AssessmentOptions& options);

// Number of patients in the table; 0 if it does not know them.
int count_patients(const PredictionTable& table);

// Tables of numbers with intervals; `--subgroups` side by side for several.
std::string assessments_text(const std::vector<Assessment>& assessments);

// The keys of result.json (n, auc_macro, auc_low, auc_high, auc, accuracy, undefined, loss) and everything else. NaN
// becomes null.
nlohmann::ordered_json assessment_json(const Assessment& assessment);
// "0.912 [0.880 to 0.944]"
std::string interval_text(const Interval& interval, bool sign);
nlohmann::ordered_json interval_json(const Interval& interval);

// Writes roc.csv, precision_recall.csv and reliability.csv, each with the columns `source` and `label` first; of the
// curves the corners. Errors: io.
void write_curves(const std::string& folder, const std::vector<Source>& sources);

}  // namespace preceptor
