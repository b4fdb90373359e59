// Assessments as JSON.
#include <nlohmann/json.hpp>

#include "apps/evaluation/output.h"
#include "apps/runs/results.h"

namespace preceptor {
namespace {

nlohmann::ordered_json calibration_json(const Calibration& numbers) {
  return {{"brier", numbers.brier},
          {"log_loss", numbers.log_loss},
          {"ece", numbers.expected},
          {"ace", numbers.adaptive},
          {"mce", numbers.maximum}};
}

nlohmann::ordered_json label_json(const LabelAssessment& label) {
  const Confusion& counts = label.confusion;
  return {{"label", label.name},
          {"known", label.known},
          {"positives", label.positives},
          {"auc", interval_json(label.auc)},
          {"average_precision", interval_json(label.average_precision)},
          {"threshold", label.threshold},
          {"true_positives", counts.true_positives},
          {"false_positives", counts.false_positives},
          {"true_negatives", counts.true_negatives},
          {"false_negatives", counts.false_negatives},
          {"sensitivity", interval_json(label.sensitivity)},
          {"specificity", interval_json(label.specificity)},
          {"ppv", interval_json(label.ppv)},
          {"npv", interval_json(label.npv)},
          {"f1", counts.f1()},
          {"accuracy", counts.accuracy()},
          {"balanced_accuracy", counts.balanced_accuracy()},
          {"calibration", calibration_json(label.calibration)}};
}

nlohmann::ordered_json group_json(const GroupMetrics& group) {
  return {{"group", group.name},
          {"n", group.rows},
          {"positives", group.positives},
          {"auc", interval_json(group.auc)},
          {"auc_gap", interval_json(group.auc_gap)},
          {"sensitivity", interval_json(group.sensitivity)},
          {"sensitivity_gap", interval_json(group.sensitivity_gap)},
          {"false_positive_rate", interval_json(group.false_positive_rate)},
          {"ece", interval_json(group.calibration_error)}};
}

}  // namespace

nlohmann::ordered_json interval_json(const Interval& interval) {
  return {{"value", interval.value}, {"low", interval.low}, {"high", interval.high}};
}

nlohmann::ordered_json assessment_json(const Assessment& assessment) {
  nlohmann::ordered_json json = evaluation_json(assessment.summary);
  json["loss"] = assessment.loss;
  json["source"] = assessment.name;
  if (assessment.patients > 0) json["patients"] = assessment.patients;
  json["auc_macro_delong"] = interval_json(assessment.auc_delong);
  json["auc_macro_bootstrap"] = interval_json(assessment.auc_macro);
  json["auc_weighted"] = interval_json(assessment.auc_weighted);
  json["auc_micro"] = interval_json(assessment.auc_micro);
  json["average_precision"] = interval_json(assessment.average_precision);
  if (assessment.balanced_accuracy) json["balanced_accuracy"] = interval_json(*assessment.balanced_accuracy);
  if (assessment.kappa) json["quadratic_weighted_kappa"] = interval_json(*assessment.kappa);
  if (assessment.mean_absolute_error) json["mean_absolute_error"] = interval_json(*assessment.mean_absolute_error);
  if (assessment.point) json["operating_point"] = nlohmann::ordered_json::parse(to_text(*assessment.point));
  for (const LabelAssessment& label : assessment.labels) json["labels"].push_back(label_json(label));
  json["calibration"] = calibration_json(assessment.calibration);
  if (assessment.calibrated) json["calibrated"] = calibration_json(*assessment.calibrated);
  for (const auto& [column, groups] : assessment.subgroups) {
    nlohmann::ordered_json& list = json["subgroups"][column] = nlohmann::ordered_json::array();
    for (const GroupMetrics& group : groups) list.push_back(group_json(group));
  }
  return json;
}

}  // namespace preceptor
