// One bootstrap for everything that needs one; DeLong and Wilson for the rest.
#include "apps/evaluation/assessment.h"

#include <cmath>
#include <limits>
#include <set>

#include "apps/inference/operating_point.h"
#include "data/metrics/calibration.h"
#include "data/metrics/classes.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

CalibrationNumbers numbers_of(const Finding& finding) {
  const std::vector<ReliabilityBin> widths = reliability(finding);
  return {brier_score(finding), log_loss(finding), expected_calibration_error(widths),
          expected_calibration_error(reliability(finding, Binning::equal_count)), maximum_calibration_error(widths)};
}

CalibrationNumbers mean_of(const std::vector<CalibrationNumbers>& all) {
  CalibrationNumbers mean;
  for (double CalibrationNumbers::*member :
       {&CalibrationNumbers::brier, &CalibrationNumbers::log_loss, &CalibrationNumbers::expected,
        &CalibrationNumbers::adaptive, &CalibrationNumbers::maximum}) {
    double sum = 0;
    int defined = 0;
    for (const CalibrationNumbers& one : all) {
      if (std::isnan(one.*member)) continue;
      sum += one.*member;
      ++defined;
    }
    mean.*member = defined == 0 ? undefined : sum / defined;
  }
  return mean;
}

CalibrationNumbers calibration_of(const PredictionTable& table) {
  if (table.task == Task::multi_label) {
    std::vector<CalibrationNumbers> all;
    for (const Finding& finding : findings(table)) all.push_back(numbers_of(finding));
    return mean_of(all);
  }
  CalibrationNumbers numbers = numbers_of(top_class(table.probabilities, table.labels, table.outputs()));
  numbers.brier = class_brier_score(table.probabilities, table.labels, table.outputs());
  numbers.log_loss = class_log_loss(table.probabilities, table.labels, table.outputs());
  return numbers;
}

LabelAssessment assess_label(const Finding& finding, const AucEstimate& estimate, const Units& patients,
                             double threshold) {
  LabelAssessment label;
  label.name = finding.name;
  label.threshold = threshold;
  label.auc = auc_interval(estimate, patients);
  const Confusion& counts = label.confusion = confusion_at(finding, threshold);
  label.known = counts.known();
  label.positives = counts.true_positives + counts.false_negatives;
  label.sensitivity = wilson_interval(counts.true_positives, label.positives);
  label.specificity = wilson_interval(counts.true_negatives, label.known - label.positives);
  label.ppv = wilson_interval(counts.true_positives, counts.true_positives + counts.false_positives);
  label.npv = wilson_interval(counts.true_negatives, counts.true_negatives + counts.false_negatives);
  label.calibration = numbers_of(finding);
  return label;
}

// The mean over all known labels: labels that are known more often weigh more than in the mean over findings.
double loss_of(const PredictionTable& table, const Assessment& assessment) {
  if (table.task != Task::multi_label) return assessment.calibration.log_loss;
  double sum = 0, known = 0;
  for (const LabelAssessment& label : assessment.labels) {
    if (label.known == 0) continue;
    sum += static_cast<double>(label.known) * label.calibration.log_loss;
    known += static_cast<double>(label.known);
  }
  return known > 0 ? sum / known : undefined;
}

// The bootstrapped numbers, in this order.
enum Drawn {
  auc_macro,
  auc_weighted,
  auc_micro,
  average_precision,
  balanced_accuracy,
  kappa,
  mean_absolute_error,
  label_precisions
};

Bootstrap draw(const PredictionTable& table, const std::vector<Finding>& all, const Units& patients,
               const AssessmentOptions& options) {
  const std::vector<Ranking> rankings = rank_all(all);
  const Ranking pooled = Ranking::pooled(all);
  const bool classes = table.task != Task::multi_label;
  const std::vector<int> chosen = classes ? chosen_classes(table) : std::vector<int>();
  const auto measure = [&](const SampleWeights& times) {
    std::vector<double> values(label_precisions, undefined);
    values[auc_macro] = macro_auc(rankings, times);
    values[auc_weighted] = weighted_auc(rankings, times);
    values[auc_micro] = pooled.auc(times);
    if (classes) {
      const ClassConfusion confusion(table.outputs(), chosen, table.labels, times);
      values[balanced_accuracy] = confusion.balanced_accuracy();
      values[kappa] = confusion.quadratic_weighted_kappa();
      values[mean_absolute_error] = confusion.mean_absolute_error();
    }
    double sum = 0;
    int defined = 0;
    for (const Ranking& ranking : rankings) {
      const double one = ranking.average_precision(times);
      values.push_back(one);
      sum += std::isnan(one) ? 0 : one;
      defined += std::isnan(one) ? 0 : 1;
    }
    values[average_precision] = defined == 0 ? undefined : sum / defined;
    return values;
  };
  BootstrapOptions how;
  how.resamples = options.resamples;
  how.seed = options.seed;
  how.units = patients;
  how.threads = options.threads;
  return bootstrap(measure, table.rows(), how, options.bca);
}

}  // namespace

std::optional<OperatingPoint> operating_point_of(const Source& source, const AssessmentOptions& options) {
  require(!options.rule || source.validation, source.name,
          ": thresholds are fitted on validation predictions, and there are none (--validation FILE)");
  if (source.validation && (options.rule || !source.point))
    return fit_operating_point(*source.validation, options.rule.value_or(ThresholdRule{}));
  return source.point;
}

Assessment assess(const Source& source, const AssessmentOptions& options) {
  const PredictionTable& table = source.table;
  const std::vector<Finding> all = findings(table);
  const Units patients = units_of(table, "patient");
  Assessment result;
  result.name = source.name;
  result.rows = table.rows();
  result.patients = static_cast<int>(std::set<std::int32_t>(patients.begin(), patients.end()).size());
  result.summary = evaluate(table, 0, options.seed);

  const std::optional<OperatingPoint>& point = result.point = operating_point_of(source, options);
  std::vector<double> thresholds = point ? point->thresholds : std::vector<double>(all.size(), 0.5);
  std::vector<AucEstimate> estimates;
  for (std::size_t j = 0; j < all.size(); ++j) {
    estimates.push_back(estimate_auc(Ranking(all[j])));
    // Where validation could not choose one, the middle is as good as any.
    if (std::isnan(thresholds[j])) thresholds[j] = 0.5;
    result.labels.push_back(assess_label(all[j], estimates.back(), patients, thresholds[j]));
  }
  result.auc_delong = auc_interval(mean_auc(estimates), patients);

  const Bootstrap drawn = draw(table, all, patients, options);
  const auto interval = [&](std::size_t which) { return options.bca ? drawn.bca(which) : drawn.percentile(which); };
  result.summary.auc_low = drawn.percentile(auc_macro).low;
  result.summary.auc_high = drawn.percentile(auc_macro).high;
  result.auc_macro = interval(auc_macro);
  result.auc_weighted = interval(auc_weighted);
  result.auc_micro = interval(auc_micro);
  result.average_precision = interval(average_precision);
  for (std::size_t j = 0; j < all.size(); ++j) result.labels[j].average_precision = interval(label_precisions + j);
  if (table.task != Task::multi_label) {
    result.balanced_accuracy = interval(balanced_accuracy);
    if (table.outputs() > 2) {
      result.kappa = interval(kappa);
      result.mean_absolute_error = interval(mean_absolute_error);
    }
  }

  result.calibration = calibration_of(table);
  result.loss = source.loss.value_or(loss_of(table, result));
  if (point) {
    PredictionTable scaled = table;
    scaled.probabilities = calibrated(*point, table.task, table.outputs(), table.probabilities);
    result.calibrated = calibration_of(scaled);
  }
  BootstrapOptions how;
  how.resamples = options.resamples;
  how.seed = options.seed;
  how.units = patients;
  how.threads = options.threads;
  for (const std::string& column : options.subgroups)
    result.subgroups.emplace_back(column,
                                  group_metrics(all, thresholds, groups_by(table, column, options.minimum_group), how));
  return result;
}

}  // namespace preceptor
