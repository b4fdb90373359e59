// Calibration of probabilities, decisions at thresholds, and both by subgroup.
#include <cmath>

#include "apps/report/charts.h"
#include "apps/report/sections.h"
#include "apps/report/text.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

ReliabilityCurve curve_of(const std::vector<ReliabilityBin>& bins, const std::string& style) {
  ReliabilityCurve curve{style, {}};
  for (const ReliabilityBin& bin : bins)
    if (bin.count > 0) curve.bins.push_back({bin.mean_probability, bin.positive_share, static_cast<double>(bin.count)});
  return curve;
}

Panel reliability_panel(const std::string& name, const std::string& style, const Calibration& before,
                        const Calibration& after) {
  const std::string error = fixed(before.pooled, 3), scaled = fixed(after.pooled, 3);
  return {name,
          "",
          reliability_chart({curve_of(before.bins, "quiet"), curve_of(after.bins, style)}, "Reliability of " + name,
                            message("Expected calibration error ", error, " as trained, ", scaled, " after scaling")),
          {{"as trained, ECE " + error, "quiet"}, {"scaled, ECE " + scaled, style}}};
}

// The ending of a table's caption if there are several arms.
std::string of_arm(const Report& report, std::size_t arm) {
  return report.arms.size() == 1 ? "" : ", " + report.arms[arm].name;
}

std::string percent(double share) { return std::isnan(share) ? "n/a" : fixed(100 * share, 1) + " %"; }

// One arm: a panel per label too. Several: one per arm.
std::string reliability_panels(const Report& report) {
  std::vector<Panel> all;
  const bool single = report.arms.size() == 1;
  for (std::size_t i = 0; i < report.arms.size(); ++i) {
    const Assessment& run = report.assessments[i];
    const std::string name = !single ? report.arms[i].name : run.confusion ? "predicted class" : "all labels";
    all.push_back(reliability_panel(name, arm_style(report, i), run.calibration, *run.calibrated));
    if (!single) continue;
    for (const LabelAssessment& label : run.labels)
      all.push_back(reliability_panel(label.name, arm_style(report, i), label.calibration, *label.calibrated));
  }
  return panels(all);
}

Table calibration_table(const Assessment& run, const std::string& arm) {
  Table table{"Calibration by label" + arm, {"Label", "Brier", "Brier, scaled", "ECE", "ECE, scaled"}};
  for (const LabelAssessment& label : run.labels)
    table.rows.push_back({label.name,
                          {fixed(label.calibration.brier, 4), fixed(label.calibrated->brier, 4),
                           fixed(label.calibration.expected, 4), fixed(label.calibrated->expected, 4)}});
  return table;
}

std::string share_bounds(const Interval& interval) {
  return std::isnan(interval.low) ? "" : fixed(100 * interval.low, 1) + " to " + fixed(100 * interval.high, 1) + " %";
}

Table threshold_table(const Assessment& run, const std::string& arm) {
  Table table{"Decisions at thresholds chosen on validation" + arm,
              {"Label", "Threshold", "Sensitivity", "Specificity", "PPV", "NPV", "F1"}};
  for (const LabelAssessment& label : run.labels) {
    TableRow row{label.name, {}};
    if (std::isnan(label.threshold)) {
      row.small = "validation shows one class only";
      row.cells.resize(6, Cell("–"));
    } else {
      row.cells = {fixed(label.threshold, 3),
                   {percent(label.sensitivity.value), share_bounds(label.sensitivity)},
                   {percent(label.specificity.value), share_bounds(label.specificity)},
                   percent(label.confusion.ppv()),
                   percent(label.confusion.npv()),
                   fixed(label.confusion.f1(), 3)};
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

// Rows are true classes, columns what the network said.
Table confusion_table(const ClassConfusion& confusion, const std::vector<std::string>& names, const std::string& arm) {
  Table table{message("True class by row, predicted class by column", arm, ". Accuracy ", percent(confusion.accuracy()),
                      ", balanced accuracy ", percent(confusion.balanced_accuracy()), ", quadratic weighted kappa ",
                      fixed(confusion.quadratic_weighted_kappa(), 3), ", mean absolute error ",
                      fixed(confusion.mean_absolute_error(), 3)),
              {"True class"}};
  table.header.insert(table.header.end(), names.begin(), names.end());
  for (int i = 0; i < confusion.classes(); ++i) {
    TableRow row{names[static_cast<std::size_t>(i)], {}};
    for (int j = 0; j < confusion.classes(); ++j) row.cells.push_back({grouped(confusion.count(i, j)), "", i == j});
    table.rows.push_back(std::move(row));
  }
  return table;
}

Cell gap_cell(const Interval& interval) {
  if (std::isnan(interval.value)) return {"–"};
  const bool apart = interval.low > 0 || interval.high < 0;
  return {fixed(interval.value, 3, true), bounds(interval, true), apart};
}

Table subgroup_table(const std::string& column, const std::vector<GroupMetrics>& groups, const std::string& arm) {
  Table table{
      "By " + column + arm,
      {"Group", "Images", "AUC", "Gap in AUC", "Sensitivity", "Gap in sensitivity", "False positive rate", "ECE"}};
  for (const GroupMetrics& group : groups)
    table.rows.push_back({group.name,
                          {grouped(group.rows), interval_cell(group.auc), gap_cell(group.auc_gap),
                           interval_cell(group.sensitivity), gap_cell(group.sensitivity_gap),
                           interval_cell(group.false_positive_rate), interval_cell(group.calibration_error)},
                          counted(static_cast<long long>(group.positives), "positive label")});
  return table;
}

// Did a student inherit its teacher's gap? Give the teacher's run first.
Table gap_change_table(const Report& report, std::size_t arm, const std::string& column,
                       const std::vector<GapChange>& groups) {
  const std::string &base = report.arms.front().name, &other = report.arms[arm].name;
  Table table{
      "Gaps by " + column + ", " + other + " beside " + base,
      {"Group", "Images", "Gap in AUC, " + base, other, "change", "Gap in sensitivity, " + base, other, "change"}};
  for (const GapChange& group : groups)
    table.rows.push_back({group.name,
                          {grouped(group.rows), gap_cell(group.first_auc_gap), gap_cell(group.second_auc_gap),
                           gap_cell(group.auc_change), gap_cell(group.first_sensitivity_gap),
                           gap_cell(group.second_sensitivity_gap), gap_cell(group.sensitivity_change)}});
  return table;
}

}  // namespace

Section calibration_section(const Report& report) {
  const bool classes = report.assessments.front().confusion.has_value();
  Section section{"calibration", "Calibration", "", reliability_panels(report)};
  section.note =
      std::string("On the dotted line, of the images given a probability of 70&#8239;%, 70&#8239;% are positive. ") +
      (classes ? "The probability is that of the predicted class. Scaled: one temperature, fitted on validation. "
               : "Scaled: a slope and an offset of the log-odds per label (Platt), fitted on validation. ") +
      "Bars: how many images, on a square-root scale. ECE: mean distance from the line over 15 bins; Brier: mean "
      "squared error, lower is better.";
  for (std::size_t i = 0; i < report.arms.size(); ++i)
    section.content += render(calibration_table(report.assessments[i], of_arm(report, i)));
  return section;
}

Section decision_section(const Report& report) {
  Section section{"decisions", "Decisions"};
  const bool classes = report.assessments.front().confusion.has_value();
  section.note = classes ? "Every image gets its most probable class. Kappa counts a mistake by the square of how many "
                           "grades it is off."
                         : "A label is called positive from its threshold on, which was chosen on the validation "
                           "images. Sensitivity and specificity with Wilson&rsquo;s 95&#8239;% intervals. Predictive "
                           "values hold for the share of positives in these test images and for no other.";
  for (std::size_t i = 0; i < report.arms.size(); ++i) {
    const Assessment& run = report.assessments[i];
    if (run.confusion)
      section.content +=
          render(confusion_table(*run.confusion, report.arms[i].runs.front().card.labels, of_arm(report, i)));
    else
      section.content += render(threshold_table(run, of_arm(report, i)));
  }
  return section;
}

Section subgroup_section(const Report& report) {
  Section section{"subgroups", "Subgroups",
                  "Means over labels with bootstrap intervals. The gap is the group&rsquo;s value minus the other "
                  "group&rsquo;s where there are two, minus the median where there are more. Bold gaps have intervals "
                  "that leave out zero; among many groups some do so by chance. Groups below 20 images are left out.",
                  ""};
  for (std::size_t i = 0; i < report.arms.size(); ++i)
    for (const auto& [column, groups] : report.assessments[i].subgroups)
      section.content += render(subgroup_table(column, groups, of_arm(report, i)));
  for (std::size_t i = 1; i < report.arms.size(); ++i)
    if (const std::optional<ArmDifference>& difference = report.comparison.differences[i])
      for (const auto& [column, groups] : difference->subgroups)
        section.content += render(gap_change_table(report, i, column, groups));
  return section;
}

}  // namespace preceptor
