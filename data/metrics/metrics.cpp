// The summary of a split, put together from rankings, decisions and a bootstrap.
#include "data/metrics/metrics.h"

#include <cmath>

#include "data/metrics/decisions.h"
#include "data/metrics/ranking.h"
#include "engine/files/check.h"

namespace preceptor {

Evaluation evaluate_findings(const std::vector<Finding>& findings, const BootstrapOptions& options) {
  require(!findings.empty() && options.resamples >= 0, "metrics: ", findings.size(), " findings, ", options.resamples,
          " bootstrap resamples");
  const std::vector<Ranking> rankings = rank_all(findings);
  Evaluation result;
  result.count = static_cast<int>(findings.front().scores.size());
  for (std::size_t j = 0; j < findings.size(); ++j) {
    const double area = rankings[j].auc();
    result.auc.push_back(std::isnan(area) ? std::nullopt : std::optional(area));
    result.auc_names.push_back(findings[j].name);
    if (std::isnan(area)) result.undefined.push_back(findings[j].name);
  }
  result.auc_macro = macro_auc(rankings);
  result.auc_low = result.auc_high = undefined;
  if (options.resamples == 0) return result;
  const auto macro = [&](const SampleWeights& times) { return std::vector{macro_auc(rankings, times)}; };
  const Interval interval = bootstrap(macro, result.count, options).percentile(0);
  result.auc_low = interval.low;
  result.auc_high = interval.high;
  return result;
}

double accuracy_of(Task task, int outputs, const std::vector<double>& probabilities, const std::vector<float>& labels) {
  if (task != Task::multi_label)
    return ClassConfusion(outputs, most_probable(probabilities, outputs), labels).accuracy();
  Mean mean;
  const std::vector<std::string> names(outputs);
  for (const Finding& finding : findings_of(task, names, probabilities, labels))
    mean.add(confusion_at(finding, 0.5).accuracy());
  return mean.value();
}

Evaluation evaluate_scores(Task task, int outputs, const std::vector<std::string>& label_names,
                           const std::vector<float>& probabilities, const std::vector<float>& labels, int resamples,
                           std::uint64_t seed) {
  require(label_names.size() == static_cast<std::size_t>(outputs), "metrics: ", label_names.size(), " names for ",
          outputs, " outputs");
  const std::vector<double> scores(probabilities.begin(), probabilities.end());
  Evaluation result = evaluate_findings(findings_of(task, label_names, scores, labels), {resamples, seed, {}, {}, 0});
  result.accuracy = accuracy_of(task, outputs, scores, labels);
  return result;
}

}  // namespace preceptor
