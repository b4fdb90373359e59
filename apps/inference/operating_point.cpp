// Between the plain functions on predictions and what a checkpoint's metadata hold.
#include "apps/inference/operating_point.h"

#include "data/metrics/scaling.h"
#include "engine/files/check.h"

namespace preceptor {

OperatingPoint fit_operating_point(const PredictionTable& validation, const ThresholdRule& rule) {
  OperatingPoint point;
  point.rule = to_string(rule);
  const bool independent = validation.task == Task::multi_label;
  for (const Finding& finding : findings(validation)) {
    point.thresholds.push_back(choose_threshold(finding, rule));
    if (!independent) continue;
    const PlattScale scale = fit_platt(finding);
    point.slopes.push_back(scale.slope);
    point.intercepts.push_back(scale.intercept);
  }
  if (!independent)
    point.temperature =
        fit_temperature(validation.task, validation.outputs(), validation.probabilities, validation.labels);
  return point;
}

std::vector<double> calibrated(const OperatingPoint& point, Task task, int outputs, std::vector<double> probabilities) {
  if (task != Task::multi_label) return at_temperature(task, outputs, std::move(probabilities), point.temperature);
  const auto width = static_cast<std::size_t>(outputs);
  require(point.slopes.size() == width && point.intercepts.size() == width, "operating point: ", point.slopes.size(),
          " scales for ", outputs, " outputs");
  for (std::size_t i = 0; i < probabilities.size(); ++i)
    probabilities[i] = PlattScale{point.slopes[i % width], point.intercepts[i % width]}(probabilities[i]);
  return probabilities;
}

}  // namespace preceptor
