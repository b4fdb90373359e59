// Training by epoch: validation curves of all arms, training against validation; the loss terms of transfer methods
// next to the labels', and how alike student and teacher became.
#include <algorithm>
#include <cmath>

#include "apps/report/charts.h"
#include "apps/report/sections.h"
#include "apps/report/text.h"
#include "apps/runs/results.h"

namespace preceptor {
namespace {

// A value by epoch for each seed: a member, or what a function makes of the epoch.
template <class Value>
std::vector<std::vector<double>> curves(const Arm& arm, const Value& value) {
  std::vector<std::vector<double>> seeds;
  for (const EvaluatedRun& run : arm.runs)
    std::ranges::transform(run.epochs, std::back_inserter(seeds.emplace_back()), value);
  return seeds;
}

std::string validation_chart(const Report& report) {
  std::vector<CurveSeries> series;
  std::string description = "At the last epoch: ";
  for (std::size_t i = 0; i < report.arms.size(); ++i) {
    const Arm& arm = report.arms[i];
    series.push_back({arm.name, arm_style(report, i), curves(arm, &EpochRow::val_auc)});
    const std::vector<double> mean = mean_curve(series.back().seeds);
    description += arm.name + " " + fixed(mean.empty() ? 0 : mean.back(), 3) + ". ";
  }
  return card(curve_chart(series, "Validation AUC by epoch", description));
}

std::vector<Panel> gap_panels(const Report& report, const char* quantity, double EpochRow::*training,
                              double EpochRow::*validation) {
  std::vector<GapPanel> all;
  svg::Range range;
  for (std::size_t i = 0; i < report.arms.size(); ++i) {
    const Arm& arm = report.arms[i];
    all.push_back({arm.name, arm_style(report, i), quantity, mean_curve(curves(arm, training)),
                   mean_curve(curves(arm, validation)), arm.runs.size() == 1 ? arm.runs.front().best_epoch : 0});
    for (const std::vector<double>* values : {&all.back().training, &all.back().validation})
      for (const double value : *values) range.include(value);
  }
  if (!(range.low <= range.high)) range = {0, 1};
  std::vector<Panel> made;
  for (const GapPanel& panel : all)
    made.push_back(
        {report.arms.size() == 1 ? quantity : panel.name + ", " + quantity, panel.style, gap_chart(panel, range)});
  return made;
}

// The meters of a group, "cka/", in the order of their columns; those of the run's first seed.
std::vector<std::string> names_in(const Arm& arm, const std::string& group) {
  std::vector<std::string> names;
  for (const Meter& meter : arm.runs.front().epochs.back().meters)
    if (meter.name.starts_with(group)) names.push_back(meter.name);
  return names;
}

std::vector<std::vector<double>> meter_curves(const Arm& arm, const std::string& name) {
  return curves(arm, [&](const EpochRow& row) { return meter_of(row, name); });
}

double mean_of_known(const std::vector<double>& values) {
  Mean mean;
  for (const double value : values) mean.add(value);
  return mean.value();
}

std::string term_table(const Report& report) {
  Table table{"Terms of the loss",
              {"", "loss at the last epoch", "with its weight", "share of the gradient", "epochs measured"}};
  for (std::size_t i = 0; i < report.arms.size(); ++i) {
    const Arm& arm = report.arms[i];
    for (const std::string& loss : names_in(arm, "loss/")) {
      const std::string term = loss.substr(5);
      const std::vector<double> shares = mean_curve(meter_curves(arm, "gradient_share/" + term));
      const auto measured = std::ranges::count_if(shares, [](double share) { return !std::isnan(share); });
      const auto last = [&](const std::string& name) { return fixed(mean_curve(meter_curves(arm, name)).back(), 4); };
      table.rows.push_back({report.arms.size() == 1 ? term : arm.name + ", " + term,
                            {last(loss), last("weighted_" + loss), fixed(mean_of_known(shares), 3), grouped(measured)},
                            "",
                            arm_style(report, i)});
    }
  }
  return render(table);
}

// One line of at least two known values for each of the series; empty where there is none.
std::string chart_of(std::vector<CurveSeries> series, const std::string& title) {
  std::erase_if(series, [](const CurveSeries& one) {
    const std::vector<double> mean = mean_curve(one.seeds);
    return std::ranges::count_if(mean, [](double value) { return !std::isnan(value); }) < 2;
  });
  if (series.empty()) return "";
  std::string description = "On average over the epochs: ";
  for (const CurveSeries& one : series)
    description += one.label + " " + fixed(mean_of_known(mean_curve(one.seeds)), 3) + ". ";
  return "<h3>" + escape_html(title) + "</h3>\n" + card(curve_chart(series, title, description));
}

// For one arm a line for each meter of the group; for several a line for each arm, of its last meter.
std::string group_chart(const Report& report, const std::string& group, const std::string& title) {
  std::vector<CurveSeries> series;
  for (std::size_t i = 0; i < report.arms.size(); ++i) {
    const Arm& arm = report.arms[i];
    const std::vector<std::string> names = names_in(arm, group);
    for (std::size_t k = report.arms.size() == 1 || names.empty() ? 0 : names.size() - 1; k < names.size(); ++k)
      series.push_back(
          report.arms.size() == 1
              ? CurveSeries{names[k].substr(group.size()), message("arm-", k % 8), meter_curves(arm, names[k])}
              : CurveSeries{arm.name, arm_style(report, i), meter_curves(arm, names[k])});
  }
  return chart_of(std::move(series), title);
}

std::string share_chart(const Report& report) {
  if (report.arms.size() == 1) return group_chart(report, "gradient_share/", "Share of the gradient, by term");
  std::vector<CurveSeries> series;
  for (std::size_t i = 0; i < report.arms.size(); ++i) {
    if (names_in(report.arms[i], "gradient_share/").empty()) continue;
    series.push_back(
        {report.arms[i].name, arm_style(report, i), meter_curves(report.arms[i], "gradient_share/labels")});
    for (std::vector<double>& seed : series.back().seeds)
      for (double& value : seed) value = 1 - value;
  }
  return chart_of(std::move(series), "Share of the gradient, all methods of an arm");
}

}  // namespace

Section learning_section(const Report& report) {
  std::vector<Panel> all = gap_panels(report, "AUC", &EpochRow::train_auc, &EpochRow::val_auc);
  const std::vector<Panel> losses = gap_panels(report, "loss", &EpochRow::label_loss, &EpochRow::val_loss);
  std::string content = report.arms.size() == 1 ? "" : validation_chart(report) + panels(all) + panels(losses);
  if (content.empty()) {
    all.insert(all.end(), losses.begin(), losses.end());
    content = panels(all, "two");
  }
  return {"learning", "Learning curves",
          "Values after each epoch, means over seeds; the loss is that of the labels alone, so that arms can be "
          "compared. The shaded gap is what was learned about the training images alone; training values are collected "
          "during the epoch, so early ones lag behind. A dashed vertical line marks the epoch with the best validation "
          "AUC: the one that was tested.",
          content};
}

Section transfer_section(const Report& report) {
  if (std::ranges::all_of(report.arms, [](const Arm& arm) { return names_in(arm, "loss/").empty(); })) return {};
  const std::string alignment = report.arms.size() == 1 ? "Alignment with the teacher's maps, by stage"
                                                        : "Alignment with the teacher's last maps";
  return {"transfer", "Transfer",
          "A share of the gradient is the L2 norm of a term's gradient by all weights that learn, divided by the sum "
          "of all terms' norms; it is measured now and then, not in every step. Agreement is with what the teachers "
          "say of the validation images: the share of equal first places, or for findings the mean of Spearman's rank "
          "correlations. Alignment is linear CKA, 1 for maps that differ in a rotation and a scale alone. None of them "
          "says that the student is right.",
          term_table(report) + share_chart(report) +
              group_chart(report, "agreement/", "Agreement with the teacher on validation") +
              group_chart(report, "cka/", alignment)};
}

}  // namespace preceptor
