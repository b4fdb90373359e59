// Assessments as text.
#include <cmath>

#include "apps/command_line/text_table.h"
#include "apps/evaluation/output.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

std::string heading(const Assessment& assessment) {
  return message(assessment.name, ": ", assessment.rows, " images",
                 assessment.patients > 0 ? message(" of ", assessment.patients, " patients") : "", "\n");
}

std::string overall(const Assessment& assessment) {
  const std::string unit = assessment.patients > 0 ? "patients" : "images";
  TextTable table({"", "value", "95 % interval", "by"});
  const auto add = [&](const std::string& name, const Interval& interval, const std::string& by) {
    table.add({name, decimal(interval.value), bounds(interval), by});
  };
  add("AUC, macro", assessment.auc_delong, "DeLong, " + unit);
  add("", assessment.auc_macro, "bootstrap, " + unit);
  add("AUC, weighted", assessment.auc_weighted, "bootstrap");
  add("AUC, micro", assessment.auc_micro, "bootstrap");
  add("AUPRC, macro", assessment.average_precision, "bootstrap");
  table.add({"accuracy", decimal(assessment.summary.accuracy)});
  if (assessment.balanced_accuracy) add("balanced accuracy", *assessment.balanced_accuracy, "bootstrap");
  if (assessment.kappa) add("kappa, quadratic", *assessment.kappa, "bootstrap");
  if (assessment.mean_absolute_error) add("mean absolute error", *assessment.mean_absolute_error, "bootstrap");
  table.add({"loss", decimal(assessment.loss)});
  return table.text();
}

std::string ranking_table(const Assessment& assessment) {
  TextTable table({"label", "known", "positive", "AUC", "95 % interval", "AUPRC", "95 % interval"});
  for (const LabelAssessment& label : assessment.labels)
    table.add({label.name, std::to_string(label.known), std::to_string(label.positives),
               std::isnan(label.auc.value) ? "undefined: one class only" : decimal(label.auc.value), bounds(label.auc),
               decimal(label.average_precision.value), bounds(label.average_precision)});
  return table.text();
}

std::string decision_table(const Assessment& assessment) {
  TextTable table(
      {"label", "threshold", "sensitivity", "95 % interval", "specificity", "95 % interval", "PPV", "NPV", "F1"});
  for (const LabelAssessment& label : assessment.labels)
    table.add({label.name, decimal(label.threshold), decimal(label.sensitivity.value, 3), bounds(label.sensitivity, 3),
               decimal(label.specificity.value, 3), bounds(label.specificity, 3), decimal(label.ppv.value, 3),
               decimal(label.npv.value, 3), decimal(label.confusion.f1(), 3)});
  return table.text();
}

std::string calibration_table(const Assessment& assessment) {
  TextTable table({"probabilities", "Brier", "log loss", "ECE", "ACE", "MCE"});
  const auto add = [&](const std::string& name, const Calibration& numbers) {
    table.add({name, decimal(numbers.brier), decimal(numbers.log_loss), decimal(numbers.expected),
               decimal(numbers.adaptive), decimal(numbers.maximum)});
  };
  add("as they are", assessment.calibration);
  if (assessment.calibrated) add("calibrated on validation", *assessment.calibrated);
  return table.text();
}

std::string group_cells(const Interval& interval, bool sign) {
  return decimal(interval.value, 3, sign) + " [" + bounds(interval, 3, sign) + "]";
}

// Groups below each other; a line per assessment in each, so that a gap is read against the one above.
std::string subgroup_tables(const std::vector<Assessment>& assessments) {
  std::string text;
  for (std::size_t c = 0; c < assessments.front().subgroups.size(); ++c) {
    TextTable table({"group", "images", "findings", "AUC", "gap", "sensitivity", "gap", "FPR", "ECE",
                     assessments.size() > 1 ? "of" : ""});
    for (std::size_t g = 0; g < assessments.front().subgroups[c].second.size(); ++g) {
      const std::string name = assessments.front().subgroups[c].second[g].name;
      for (std::size_t a = 0; a < assessments.size(); ++a) {
        for (const GroupMetrics& group : assessments[a].subgroups[c].second) {
          if (group.name != name) continue;
          table.add({a == 0 ? group.name : "", std::to_string(group.rows), std::to_string(group.positives),
                     group_cells(group.auc, false), group_cells(group.auc_gap, true),
                     group_cells(group.sensitivity, false), group_cells(group.sensitivity_gap, true),
                     decimal(group.false_positive_rate.value, 3), decimal(group.calibration_error.value, 3),
                     assessments.size() > 1 ? assessments[a].name : ""});
        }
      }
    }
    text += message("\nby ", assessments.front().subgroups[c].first,
                    " (means over labels; gap: to the other group of two, to the median of more; [95 % bootstrap])\n") +
            table.text();
  }
  return text;
}

}  // namespace

std::string assessments_text(const std::vector<Assessment>& assessments) {
  std::string text;
  for (const Assessment& one : assessments) {
    text += (text.empty() ? "" : "\n") + heading(one) + "\n" + overall(one) + "\n" + ranking_table(one);
    text += "\ndecisions at thresholds " +
            (one.point ? "by " + one.point->rule + " on validation" : "of 0.5 (none were fitted)") + "\n" +
            decision_table(one) + "\n" + calibration_table(one);
  }
  return text + subgroup_tables(assessments);
}

}  // namespace preceptor
