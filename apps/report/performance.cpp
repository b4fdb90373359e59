// How good the networks are: intervals, tables and curves.
#include <cmath>

#include "apps/report/charts.h"
#include "apps/report/sections.h"
#include "apps/report/text.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

Interval without_bounds(const Interval& interval) { return {interval.value, std::nan(""), std::nan("")}; }

// One arm: a row per label. Several: a row per arm, and the references.
std::string interval_figure(const Report& report) {
  std::vector<IntervalRow> rows;
  std::string description;
  const auto add = [&](IntervalRow row) {
    description += row.label + " " + fixed(row.thick.value, 3) + ". ";
    rows.push_back(std::move(row));
  };
  const bool single = report.arms.size() == 1;
  if (single && report.references.empty()) {
    const Assessment& run = report.assessments.front();
    for (const LabelAssessment& label : run.labels)
      add({label.name, arm_style(report, 0), without_bounds(label.auc), label.auc, {}});
    if (run.labels.size() > 1)
      add({"mean of all", "reference-mark", without_bounds(run.auc_delong), run.auc_delong, {}});
    return card(interval_chart(rows, "test AUC", "Test AUC of every label", description));
  }
  for (std::size_t i = 0; i < report.arms.size(); ++i) {
    const ArmScore& arm = report.comparison.arms[i];
    IntervalRow row{report.arms[i].name, arm_style(report, i), arm.over_seeds, arm.over_images, {}};
    if (arm.aucs.size() > 1) row.points = arm.aucs;
    add(std::move(row));
  }
  for (const Reference& reference : report.references)
    add({lower_start(reference.name), "reference-mark", without_bounds(reference.auc), reference.auc, {}});
  return card(interval_chart(rows, "test AUC, mean of labels", "Test AUC of every arm", description));
}

Cell difference_cell(const Difference* difference) {
  if (difference == nullptr) return {"–"};
  const Interval& interval = difference->interval;
  return {fixed(interval.value, 3, true), bounds(interval, true) + "\n" + p_words(difference->p_holm),
          difference->p_holm < 0.05};
}

Table arm_table(const Report& report) {
  bool seeds = false;
  for (const Arm& arm : report.arms) seeds |= arm.runs.size() > 1;
  Table table{"Arms compared with the first one", {"Arm", "Test AUC"}};
  if (seeds) table.header.push_back("Over images");
  table.header.push_back("Average precision");
  if (seeds) table.header.push_back("Difference by seed");
  table.header.push_back("Difference by image");
  table.header.push_back("Training − validation");
  for (std::size_t i = 0; i < report.arms.size(); ++i) {
    const ArmScore& arm = report.comparison.arms[i];
    TableRow row{report.arms[i].name, {}, report.arms[i].note, arm_style(report, i)};
    row.cells.push_back(interval_cell(arm.aucs.size() > 1 ? arm.over_seeds : arm.over_images, true));
    if (seeds) row.cells.push_back(bounds(arm.over_images));
    row.cells.push_back(fixed(arm.average_precision, 3));
    if (seeds) row.cells.push_back(difference_cell(report.comparison.over_seeds(i)));
    row.cells.push_back(difference_cell(report.comparison.by_image(i)));
    row.cells.push_back(fixed(arm.gap, 3, true));
    table.rows.push_back(std::move(row));
  }
  for (const Reference& reference : report.references) {
    TableRow row{reference.name, {interval_cell(reference.auc)}, reference.note, "reference-mark"};
    row.cells.resize(table.header.size() - 1, Cell("–"));
    table.rows.push_back(std::move(row));
  }
  return table;
}

Cell positives_cell(const LabelAssessment& label) { return {grouped(label.positives), "of " + grouped(label.known)}; }

Table single_label_table(const Assessment& run) {
  Table table{"Test metrics by label", {"Label", "Positive", "AUC", "Average precision", "By chance"}};
  for (const LabelAssessment& label : run.labels) {
    const double share = static_cast<double>(label.positives) / static_cast<double>(label.known);
    table.rows.push_back({label.name,
                          {positives_cell(label), interval_cell(label.auc, true),
                           interval_cell(label.average_precision), fixed(share, 3)}});
  }
  if (run.labels.size() > 1)
    table.rows.push_back(
        {"mean of labels",
         {Cell(""), interval_cell(run.auc_delong, true), interval_cell(run.average_precision), Cell("")}});
  return table;
}

Table arm_label_table(const Report& report) {
  Table table{"Test AUC by label and arm, first seeds", {"Label", "Positive"}};
  for (const Arm& arm : report.arms) table.header.push_back(arm.name);
  const Assessment& base = report.assessments.front();
  for (std::size_t k = 0; k < base.labels.size(); ++k) {
    const LabelAssessment& label = base.labels[k];
    TableRow row{label.name, {}};
    row.cells.push_back(positives_cell(label));
    for (const Assessment& run : report.assessments) {
      // Arms may have been trained on other labels.
      Cell cell("–");
      for (const LabelAssessment& other : run.labels)
        if (other.name == label.name) cell = interval_cell(other.auc);
      row.cells.push_back(cell);
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

SquareCurve square_curve(const Curve& curve, const std::string& style, bool from_origin, bool band) {
  SquareCurve drawn{style, {}, {}, {}};
  if (from_origin) drawn.points.push_back({0, 0});
  for (const auto& [x, y] : curve) {
    drawn.points.push_back({x, y.value});
    if (!band || std::isnan(y.low)) continue;
    drawn.low.push_back({x, y.low});
    drawn.high.push_back({x, y.high});
  }
  return drawn;
}

// One panel per label with the curves of all arms.
std::string curve_panels(const Report& report, bool roc) {
  std::vector<Panel> all;
  const Assessment& base = report.assessments.front();
  for (const LabelAssessment& label : base.labels) {
    SquareChart chart;
    chart.title = label.name + (roc ? ", ROC curve" : ", precision-recall curve");
    chart.x_name = roc ? "false positive rate" : "recall";
    chart.y_name = roc ? "sensitivity" : "precision";
    chart.diagonal = roc;
    if (!roc && label.known > 0)
      chart.horizontal = static_cast<double>(label.positives) / static_cast<double>(label.known);
    Panel panel{label.name, "", ""};
    for (std::size_t i = 0; i < report.arms.size(); ++i)
      for (const LabelAssessment& of_arm : report.assessments[i].labels) {
        const Interval& value = roc ? of_arm.auc : of_arm.average_precision;
        if (of_arm.name != label.name || std::isnan(value.value)) continue;
        const Curve& curve = roc ? of_arm.roc : of_arm.precision_recall;
        const std::string name = report.arms.size() == 1 ? (roc ? "AUC" : "AP") : report.arms[i].name;
        chart.curves.push_back(square_curve(curve, arm_style(report, i), roc, report.arms.size() <= 2));
        chart.description += name + " " + fixed(value.value, 3) + ". ";
        panel.legend.push_back({name + " " + fixed(value.value, 2), arm_style(report, i)});
      }
    panel.content = chart.curves.empty() ? "<p class=\"note\">One class only: no curve.</p>" : square_chart(chart);
    all.push_back(std::move(panel));
  }
  return panels(all);
}

}  // namespace

Cell interval_cell(const Interval& interval, bool strong) {
  return {fixed(interval.value, 3), bounds(interval), strong};
}

Section performance_section(const Report& report) {
  Section section{"performance", "Test AUC", "", interval_figure(report)};
  const bool single = report.arms.size() == 1;
  if (single && report.references.empty()) {
    section.note =
        "Dot: estimate. Line: 95&#8239;% interval by DeLong&rsquo;s method over the test images. An interval that "
        "reaches 0.5 does not show that the network is better than chance on that label. Near 1 the method is too "
        "sure.";
    return section;
  }
  section.note =
      "Dot: mean over seeds. Short strokes: single seeds. Broad band: 95&#8239;% t interval over seeds, which measures "
      "how much training varies. Thin line: 95&#8239;% DeLong interval of the mean over seeds, which measures how much "
      "the choice of test images matters. p values are adjusted by Holm&rsquo;s method; bold differences have "
      "p&nbsp;&lt;&nbsp;0.05.";
  section.content += render(arm_table(report));
  return section;
}

Section label_section(const Report& report) {
  if (report.arms.size() == 1)
    return {"labels", "By label",
            "AUC with DeLong&rsquo;s interval; average precision with a bootstrap interval, beside what chance would "
            "give: the share of positives.",
            render(single_label_table(report.assessments.front()))};
  return {"labels", "By label", "AUC with DeLong&rsquo;s interval, of the first seed of each arm.",
          render(arm_label_table(report))};
}

Section curve_section(const Report& report) {
  return {
      "curves", "ROC and precision-recall curves",
      std::string(report.arms.size() <= 2
                      ? "Shaded: 95&#8239;% of bootstrap resamples of the test images, point by point. "
                      : "First seed of each arm; the numbers are areas, whose intervals stand in the table above. ") +
          "Dotted: chance. Precision is the highest at this recall or beyond.",
      "<h3>ROC</h3>\n" + curve_panels(report, true) + "<h3>Precision and recall</h3>\n" + curve_panels(report, false)};
}

}  // namespace preceptor
