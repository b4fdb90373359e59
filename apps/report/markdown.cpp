// A model card in Markdown (Mitchell et al. 2019) with what the runs know, and the questions only people can answer.
#include <cmath>

#include "apps/report/report.h"
#include "apps/report/text.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

// Text within a cell of a Markdown table.
std::string cell(const std::string& text) {
  std::string out;
  for (const char letter : text) {
    if (std::string_view("|\\<*_`").find(letter) != std::string_view::npos) out += '\\';
    out += letter == '\n' || letter == '\r' ? ' ' : letter;
  }
  return out;
}

std::string labels_table(const Assessment& run) {
  std::string out =
      "| label | positive of known | AUC (95 % interval) | average precision | threshold | sensitivity | specificity "
      "|\n"
      "|---|---|---|---|---|---|---|\n";
  for (const LabelAssessment& label : run.labels)
    out += message("| ", cell(label.name), " | ", label.positives, " of ", label.known, " | ", with_bounds(label.auc),
                   " | ", with_bounds(label.average_precision), " | ", fixed(label.threshold, 3), " | ",
                   with_bounds(label.sensitivity), " | ", with_bounds(label.specificity), " |\n");
  return out +
         message("| mean | | ", with_bounds(run.auc_delong), " | ", with_bounds(run.average_precision), " | | | |\n");
}

std::string groups_table(const Assessment& run) {
  std::string out;
  for (const auto& [column, groups] : run.subgroups)
    for (const GroupMetrics& group : groups)
      out += message("| ", cell(group.name), " | ", group.rows, " | ", with_bounds(group.auc), " | ",
                     with_bounds(group.sensitivity), " | ", with_bounds(group.sensitivity_gap), " |\n");
  if (out.empty())
    return "The predictions name no sex, age, view or site, so nothing is known of how the model does for parts of the "
           "patients.\n";
  return "| group | images | AUC | sensitivity | gap in sensitivity |\n|---|---|---|---|---|\n" + out;
}

std::string arm_section(const Arm& arm, const Assessment& assessment) {
  const EvaluatedRun& run = arm.runs.front();
  const auto option = [&](const char* name) { return cell(run.config.value(name, std::string("none"))); };
  const double before = assessment.calibration.pooled, after = assessment.calibrated->pooled;
  return message("## ", cell(arm.name), "\n\n### Model\n\n| | |\n|---|---|\n| network | ", run.card.network.name, ", ",
                 grouped(run.parameters), " parameters |\n| input | ", run.card.height, "x", run.card.width, "x",
                 run.card.network.in_channels, " |\n| initial weights | ", option("init"), " |\n| teacher | ",
                 option("teacher"), " |\n| epoch | ", run.best_epoch, " of ", run.epochs.size(),
                 ", chosen by validation AUC |\n| runs with other seeds | ", arm.runs.size() - 1,
                 " |\n| SHA-256 of best.safetensors | ", run.checkpoint_digest, " |\n\n### Data\n\nTrained on `",
                 run.config.value("data", run.card.data), "`; ", grouped(run.source.validation->rows()),
                 " validation and ", grouped(run.source.table.rows()), " test images.\n\n### Test results\n\n",
                 labels_table(assessment),
                 "\nIntervals: DeLong's for AUC, bootstrap for average precision, Wilson's for rates, all 95 %, over ",
                 assessment.patients > 0 ? "patients" : "images",
                 ". Thresholds were chosen on validation.\n\nExpected calibration error ", fixed(before, 3),
                 ", after scaling ", fixed(after, 3), ".\n\n### Subgroups\n\n", groups_table(assessment), "\n");
}

}  // namespace

std::string render_markdown(const Report& report) {
  std::string out = message("# Model card: ", cell(title_of(report)), "\n\n", cell(summary_text(report)), "\n\n");
  for (std::size_t i = 0; i < report.arms.size(); ++i) out += arm_section(report.arms[i], report.assessments[i]);
  return out +
         "## Intended use\n\nResearch and teaching. Not a medical device; no result here supports a clinical "
         "decision.\n\n"
         "## To be filled in by people\n\n- Where do the images come from, who labelled them, and how sure are the "
         "labels?\n"
         "- Which patients are missing or rare?\n- What would a wrong answer cost, and whom?\n"
         "- Who may use the data and the weights, under which licence?\n";
}

}  // namespace preceptor
