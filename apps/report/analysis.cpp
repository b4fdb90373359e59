// The numbers behind a report.
#include "apps/report/analysis.h"

#include <cmath>
#include <limits>

#include "apps/inference/operating_point.h"

namespace preceptor {
namespace {

constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

// Rates at which curves are read: denser at the start, where ROC curves rise.
std::vector<double> curve_grid() {
  constexpr int steps = 60;
  std::vector<double> grid;
  for (int i = 0; i <= steps; ++i) grid.push_back(std::pow(static_cast<double>(i) / steps, 1.5));
  return grid;
}

// Per label: average precision, sensitivities, precisions; at the end the macro average precision.
std::vector<double> curve_statistics(const std::vector<Ranking>& rankings, const std::vector<double>& grid,
                                     const SampleWeights& times) {
  std::vector<double> all;
  for (const Ranking& ranking : rankings) {
    all.push_back(ranking.average_precision(times));
    for (const double value : ranking.sensitivity_at(grid, times)) all.push_back(value);
    for (const double value : ranking.precision_at(grid, times)) all.push_back(value);
  }
  all.push_back(macro_average_precision(rankings, times));
  return all;
}

// Curves and average precisions with what resampling the test images says of them.
void add_curves(RunAnalysis& analysis, const std::vector<Ranking>& rankings, const Units& units,
                const AnalysisOptions& options) {
  const std::vector<double> grid = curve_grid();
  const auto statistics = [&](const SampleWeights& times) { return curve_statistics(rankings, grid, times); };
  const std::vector<double> estimates = statistics({});
  std::optional<Bootstrap> samples;
  if (options.resamples > 0)
    samples = bootstrap(statistics, static_cast<int>(rankings.front().rows()),
                        {.resamples = options.resamples,
                         .seed = options.seed,
                         .units = units,
                         .strata = {},
                         .threads = options.threads});
  std::size_t at = 0;
  const auto next = [&] {
    const Interval interval = samples ? samples->percentile(at) : Interval{nothing, nothing, nothing};
    return Interval{estimates[at++], interval.low, interval.high};
  };
  const auto curve = [&](BandCurve& band) {
    for (const double x : grid) {
      const Interval y = next();
      band.points.push_back({x, y.value});
      if (std::isnan(y.low)) continue;
      band.low.push_back({x, y.low});
      band.high.push_back({x, y.high});
    }
  };
  for (LabelAnalysis& label : analysis.labels) {
    label.average_precision = next();
    curve(label.roc);
    curve(label.precision_recall);
  }
  analysis.macro_average_precision = next();
}

void add_decisions(LabelAnalysis& label, const Finding& test, double threshold) {
  label.threshold = threshold;
  label.sensitivity = label.specificity = {nothing, nothing, nothing};
  if (std::isnan(label.threshold)) return;
  label.confusion = confusion_at(test, label.threshold);
  const Confusion& c = label.confusion;
  label.sensitivity = wilson_interval(c.true_positives, c.true_positives + c.false_negatives);
  label.specificity = wilson_interval(c.true_negatives, c.true_negatives + c.false_positives);
}

Finding together(const std::vector<Finding>& findings) {
  Finding all;
  all.name = "all labels";
  for (const Finding& finding : findings) {
    all.scores.insert(all.scores.end(), finding.scores.begin(), finding.scores.end());
    all.labels.insert(all.labels.end(), finding.labels.begin(), finding.labels.end());
  }
  return all;
}

void add_calibration(RunAnalysis& analysis, const PredictionTable& test, const OperatingPoint& point) {
  PredictionTable scaled = test;
  scaled.probabilities = calibrated(point, test.task, test.outputs(), test.probabilities);
  const std::vector<Finding>& before = analysis.findings;
  const std::vector<Finding> after = findings(scaled);
  for (std::size_t i = 0; i < before.size(); ++i) {
    LabelAnalysis& label = analysis.labels[i];
    label.brier = brier_score(before[i]);
    label.brier_after = brier_score(after[i]);
    label.reliability = reliability(before[i]);
    label.reliability_after = reliability(after[i]);
    label.calibration_error = expected_calibration_error(label.reliability);
    label.calibration_error_after = expected_calibration_error(label.reliability_after);
  }
  if (test.task == Task::multi_label) {
    analysis.reliability = reliability(together(before));
    analysis.reliability_after = reliability(together(after));
  } else {
    analysis.reliability = reliability(top_class(test.probabilities, test.labels, test.outputs()));
    analysis.reliability_after = reliability(top_class(scaled.probabilities, test.labels, test.outputs()));
    analysis.confusion.emplace(test.outputs(), chosen_classes(test), test.labels);
  }
}

void add_subgroups(RunAnalysis& analysis, const PredictionTable& test, const Units& units,
                   const AnalysisOptions& options) {
  std::vector<double> thresholds;
  for (const LabelAnalysis& label : analysis.labels) thresholds.push_back(label.threshold);
  for (const char* column : {"sex", "age", "view", "site"}) {
    if (test.find(column) == nullptr) continue;
    const std::vector<Group> groups = groups_by(test, column);
    if (groups.size() < 2) continue;
    analysis.subgroups.push_back({column, group_metrics(analysis.findings, thresholds, groups,
                                                        {.resamples = options.resamples,
                                                         .seed = options.seed,
                                                         .units = units,
                                                         .strata = {},
                                                         .threads = options.threads})});
  }
}

}  // namespace

RunAnalysis analyze(const PredictionTable& validation, const PredictionTable& test, const AnalysisOptions& options) {
  RunAnalysis analysis;
  analysis.findings = findings(test);
  const OperatingPoint point = fit_operating_point(validation, options.rule);
  const Units units = units_of(test, "patient");
  analysis.by_patient = !units.empty();
  const std::vector<Ranking> rankings = rank_all(analysis.findings);
  std::vector<AucEstimate> estimates;
  for (std::size_t i = 0; i < rankings.size(); ++i) {
    LabelAnalysis label;
    label.name = analysis.findings[i].name;
    label.known = rankings[i].entries().size();
    label.positives = rankings[i].positives();
    estimates.push_back(estimate_auc(rankings[i]));
    label.auc = auc_interval(estimates.back(), units);
    add_decisions(label, analysis.findings[i], point.thresholds[i]);
    analysis.labels.push_back(std::move(label));
  }
  analysis.macro = mean_auc(estimates);
  analysis.macro_auc = auc_interval(analysis.macro, units);
  add_curves(analysis, rankings, units, options);
  add_calibration(analysis, test, point);
  if (options.resamples > 0) add_subgroups(analysis, test, units, options);
  return analysis;
}

}  // namespace preceptor
