// One bootstrap for everything that needs one; DeLong and Wilson for the rest.
#include "apps/evaluation/assessment.h"

#include <cmath>
#include <set>
#include <tuple>

#include "apps/inference/operating_point.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

Calibration calibration_of(const Finding& finding) {
  std::vector<ReliabilityBin> bins = reliability(finding);
  const double expected = expected_calibration_error(bins), maximum = maximum_calibration_error(bins);
  const double adaptive = expected_calibration_error(reliability(finding, Binning::equal_count));
  return {brier_score(finding), log_loss(finding), expected, adaptive, maximum, std::move(bins), expected};
}

Finding pooled(const std::vector<Finding>& findings) {
  Finding all;
  for (const Finding& finding : findings) {
    all.scores.insert(all.scores.end(), finding.scores.begin(), finding.scores.end());
    all.labels.insert(all.labels.end(), finding.labels.begin(), finding.labels.end());
  }
  return all;
}

Calibration mean_of(const std::vector<Calibration>& labels) {
  Calibration mean;
  for (double Calibration::*member : {&Calibration::brier, &Calibration::log_loss, &Calibration::expected,
                                      &Calibration::adaptive, &Calibration::maximum}) {
    Mean defined;
    for (const Calibration& one : labels) defined.add(one.*member);
    mean.*member = defined.value();
  }
  return mean;
}

// Over all labels, and of each label.
std::pair<Calibration, std::vector<Calibration>> calibrations_of(const PredictionTable& table) {
  const std::vector<Finding> all = findings(table);
  std::vector<Calibration> labels;
  for (const Finding& finding : all) labels.push_back(calibration_of(finding));
  if (table.task == Task::multi_label) {
    Calibration mean = mean_of(labels);
    mean.bins = reliability(pooled(all));
    mean.pooled = expected_calibration_error(mean.bins);
    return {std::move(mean), std::move(labels)};
  }
  Calibration classes = calibration_of(top_class(table.probabilities, table.labels, table.outputs()));
  classes.brier = class_brier_score(table.probabilities, table.labels, table.outputs());
  classes.log_loss = class_log_loss(table.probabilities, table.labels, table.outputs());
  return {std::move(classes), std::move(labels)};
}

void decide(LabelAssessment& label, const Finding& finding, double threshold) {
  label.threshold = threshold;
  if (std::isnan(threshold)) {
    label.sensitivity = label.specificity = label.ppv = label.npv = {undefined, undefined, undefined};
    return;
  }
  const Confusion& counts = label.confusion = confusion_at(finding, threshold);
  label.sensitivity = wilson_interval(counts.true_positives, label.positives);
  label.specificity = wilson_interval(counts.true_negatives, label.known - label.positives);
  label.ppv = wilson_interval(counts.true_positives, counts.true_positives + counts.false_positives);
  label.npv = wilson_interval(counts.true_negatives, counts.true_negatives + counts.false_negatives);
}

// The mean over all known labels: labels that are known more often weigh more than in the mean over findings.
double loss_of(const PredictionTable& table, const Assessment& assessment) {
  if (table.task != Task::multi_label) return assessment.calibration.log_loss;
  Mean loss;
  for (const LabelAssessment& label : assessment.labels)
    loss.add(label.calibration.log_loss, static_cast<double>(label.known));
  return loss.value();
}

// Rates at which curves are read: denser at the start, where ROC curves rise.
std::vector<double> curve_grid() {
  constexpr int steps = 60;
  std::vector<double> grid;
  for (int i = 0; i <= steps; ++i) grid.push_back(std::pow(static_cast<double>(i) / steps, 1.5));
  return grid;
}

void append(std::vector<double>& values, const std::vector<double>& more) {
  values.insert(values.end(), more.begin(), more.end());
}

// One bootstrap of all numbers that need it. add_resampled() reads them in the same order.
Bootstrap resample(const PredictionTable& table, const std::vector<Finding>& all, const std::vector<Ranking>& rankings,
                   const AssessmentOptions& options) {
  const Ranking micro = Ranking::pooled(all);
  const bool classes = table.task != Task::multi_label;
  const std::vector<int> chosen = classes ? chosen_classes(table) : std::vector<int>();
  const std::vector<double> grid = curve_grid();
  const auto measure = [&](const SampleWeights& times) {
    std::vector<double> values = {macro_auc(rankings, times), weighted_auc(rankings, times), micro.auc(times),
                                  macro_average_precision(rankings, times)};
    if (classes) {
      const ClassConfusion confusion(table.outputs(), chosen, table.labels, times);
      append(values,
             {confusion.balanced_accuracy(), confusion.quadratic_weighted_kappa(), confusion.mean_absolute_error()});
    }
    for (const Ranking& ranking : rankings) {
      values.push_back(ranking.average_precision(times));
      if (!options.curves) continue;
      append(values, ranking.sensitivity_at(grid, times));
      append(values, ranking.precision_at(grid, times));
    }
    return values;
  };
  return bootstrap(measure, table.rows(), options.resampling(table), options.bca);
}

void add_resampled(Assessment& result, const PredictionTable& table, const Bootstrap& drawn,
                   const AssessmentOptions& options) {
  std::size_t at = 0;
  const auto next = [&] {
    const std::size_t statistic = at++;
    return options.bca ? drawn.bca(statistic) : drawn.percentile(statistic);
  };
  result.summary.auc_low = drawn.percentile(0).low;
  result.summary.auc_high = drawn.percentile(0).high;
  for (Interval* interval : {&result.auc_macro, &result.auc_weighted, &result.auc_micro, &result.average_precision})
    *interval = next();
  if (table.task != Task::multi_label) {
    result.confusion.emplace(table.outputs(), chosen_classes(table), table.labels);
    result.balanced_accuracy = next();
    const Interval kappa = next(), error = next();
    if (table.outputs() > 2) {
      result.kappa = kappa;
      result.mean_absolute_error = error;
    }
  }
  for (LabelAssessment& label : result.labels) {
    label.average_precision = next();
    if (!options.curves) continue;
    for (Curve* curve : {&label.roc, &label.precision_recall})
      for (const double x : curve_grid()) curve->emplace_back(x, next());
  }
}

}  // namespace

BootstrapOptions EvaluationOptions::resampling(const PredictionTable& table) const {
  return {.resamples = resamples, .seed = seed, .clusters = clusters_of(table, "patient"), .threads = threads};
}

std::optional<OperatingPoint> operating_point_of(const Source& source, const std::optional<ThresholdRule>& rule) {
  require(!rule || source.validation, source.name,
          ": thresholds are fitted on validation predictions, and there are none (--validation FILE)");
  if (source.validation && (rule || !source.point))
    return fit_operating_point(*source.validation, rule.value_or(ThresholdRule{}));
  return source.point;
}

int count_patients(const PredictionTable& table) {
  const Clusters patients = clusters_of(table, "patient");
  return static_cast<int>(std::set<std::int32_t>(patients.begin(), patients.end()).size());
}

Assessment assess(const Source& source, const AssessmentOptions& options) {
  const PredictionTable& table = source.table;
  const std::vector<Finding> all = findings(table);
  const std::vector<Ranking> rankings = rank_all(all);
  const Clusters patients = clusters_of(table, "patient");
  Assessment result;
  result.name = source.name;
  result.rows = table.rows();
  result.patients = count_patients(table);
  result.summary = evaluate(table, 0, options.seed);

  const std::optional<OperatingPoint>& point = result.point = operating_point_of(source, options.rule);
  std::vector<double> thresholds = point ? point->thresholds : std::vector<double>(all.size(), 0.5);
  std::vector<Calibration> calibrations, calibrated_labels;
  std::tie(result.calibration, calibrations) = calibrations_of(table);
  if (point) {
    PredictionTable scaled = table;
    scaled.probabilities = calibrated(*point, table.task, table.outputs(), table.probabilities);
    std::tie(result.calibrated.emplace(), calibrated_labels) = calibrations_of(scaled);
  }
  const std::vector<AucEstimate> estimates = estimate_aucs(rankings);
  for (std::size_t j = 0; j < all.size(); ++j) {
    LabelAssessment& label = result.labels.emplace_back();
    label.name = all[j].name;
    label.known = rankings[j].entries().size();
    label.positives = rankings[j].positives();
    label.auc = auc_interval(estimates[j], patients);
    if (std::isnan(thresholds[j])) thresholds[j] = options.missing_threshold;
    decide(label, all[j], thresholds[j]);
    label.calibration = std::move(calibrations[j]);
    if (point) label.calibrated = std::move(calibrated_labels[j]);
  }
  result.auc_delong = auc_interval(mean_auc(estimates), patients);
  add_resampled(result, table, resample(table, all, rankings, options), options);
  result.loss = source.loss.value_or(loss_of(table, result));
  for (const std::string& column : options.subgroups)
    result.subgroups.emplace_back(
        column,
        group_metrics(all, thresholds, groups_by(table, column, options.minimum_group), options.resampling(table)));
  return result;
}

}  // namespace preceptor
