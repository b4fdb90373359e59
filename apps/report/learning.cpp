// How training went: validation curves of all arms, and training against validation.
#include "apps/report/charts.h"
#include "apps/report/sections.h"
#include "apps/report/text.h"

namespace preceptor {
namespace {

std::vector<std::vector<double>> curves(const Arm& arm, double EpochRow::*value) {
  std::vector<std::vector<double>> seeds;
  for (const EvaluatedRun& run : arm.runs) {
    seeds.emplace_back();
    for (const EpochRow& row : run.epochs) seeds.back().push_back(row.*value);
  }
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
          "compared. The shaded gap is what was learned about the training images alone; "
          "training values are collected during the epoch, so early ones lag behind. A dashed vertical line marks the "
          "epoch with "
          "the best validation AUC: the one that was tested.",
          content};
}

}  // namespace preceptor
