// Assessments as text and as JSON, and curves as CSV.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "apps/command_line/text_table.h"
#include "apps/evaluation/assessment.h"
#include "apps/runs/results.h"
#include "data/tables/table.h"
#include "engine/files/check.h"
#include "engine/files/file.h"
#include "engine/files/numbers.h"

namespace preceptor {
namespace {

using Json = nlohmann::ordered_json;

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
                     interval_text(group.auc, false), interval_text(group.auc_gap, true),
                     interval_text(group.sensitivity, false), interval_text(group.sensitivity_gap, true),
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

Json calibration_json(const Calibration& numbers) {
  return {{"brier", numbers.brier},
          {"log_loss", numbers.log_loss},
          {"ece", numbers.expected},
          {"ace", numbers.adaptive},
          {"mce", numbers.maximum}};
}

Json label_json(const LabelAssessment& label) {
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

Json group_json(const GroupMetrics& group) {
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

std::string line(const std::string& start, std::initializer_list<double> values) {
  std::string text = start;
  for (const double value : values) text += "," + number_text(value);
  return text + "\n";
}

// Points between two that share a coordinate with them lie on the line that joins those: only corners are kept.
template <class Point>
std::vector<Point> corners(const std::vector<Point>& points, std::initializer_list<double Point::*> coordinates) {
  std::vector<Point> kept;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const bool inside = i > 0 && i + 1 < points.size();
    if (!inside || std::none_of(coordinates.begin(), coordinates.end(), [&](double Point::*coordinate) {
          return points[i - 1].*coordinate == points[i].*coordinate &&
                 points[i].*coordinate == points[i + 1].*coordinate;
        }))
      kept.push_back(points[i]);
  }
  return kept;
}

}  // namespace

std::string interval_text(const Interval& interval, bool sign) {
  return decimal(interval.value, 3, sign) + " [" + bounds(interval, 3, sign) + "]";
}

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

Json interval_json(const Interval& interval) {
  return {{"value", interval.value}, {"low", interval.low}, {"high", interval.high}};
}

Json assessment_json(const Assessment& assessment) {
  Json json = evaluation_json(assessment.summary);
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
  if (assessment.point) json["operating_point"] = Json::parse(to_text(*assessment.point));
  for (const LabelAssessment& label : assessment.labels) json["labels"].push_back(label_json(label));
  json["calibration"] = calibration_json(assessment.calibration);
  if (assessment.calibrated) json["calibrated"] = calibration_json(*assessment.calibrated);
  for (const auto& [column, groups] : assessment.subgroups) {
    Json& list = json["subgroups"][column] = Json::array();
    for (const GroupMetrics& group : groups) list.push_back(group_json(group));
  }
  return json;
}

void write_curves(const std::string& folder, const std::vector<Source>& sources) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) fail(ErrorKind::io, folder, ": cannot be created: ", error.message());
  std::string roc = "source,label,threshold,false_positive_rate,sensitivity\n";
  std::string precision_recall = "source,label,threshold,recall,precision\n";
  std::string bins = "source,label,low,high,count,mean_probability,positive_share\n";
  for (const Source& source : sources) {
    for (const Finding& finding : findings(source.table)) {
      const std::string start = csv_field(source.name) + "," + csv_field(finding.name);
      const Ranking ranking(finding);
      for (const RocPoint& point : corners(ranking.roc(), {&RocPoint::false_positive_rate, &RocPoint::sensitivity}))
        roc += line(start, {point.threshold, point.false_positive_rate, point.sensitivity});
      for (const PrecisionRecallPoint& point : corners(ranking.precision_recall(), {&PrecisionRecallPoint::recall}))
        precision_recall += line(start, {point.threshold, point.recall, point.precision});
      for (const ReliabilityBin& bin : reliability(finding))
        bins +=
            line(start, {bin.low, bin.high, static_cast<double>(bin.count), bin.mean_probability, bin.positive_share});
    }
  }
  write_file_atomically(folder + "/roc.csv", roc);
  write_file_atomically(folder + "/precision_recall.csv", precision_recall);
  write_file_atomically(folder + "/reliability.csv", bins);
}

}  // namespace preceptor
