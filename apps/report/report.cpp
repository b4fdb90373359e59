// The whole report, from its parts.
#include "apps/report/report.h"

#include <cmath>

#include "apps/report/sections.h"
#include "apps/report/text.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

std::string picture_html(const PictureRow& row, const PictureRow::Picture& picture) {
  const bool two = !picture.large.pixels.empty();
  const Image& image = two ? picture.large : picture.image;
  const std::string caption = escape_html(picture.caption);
  return message(
      "<figure><img alt=\"", escape_html(row.title + ": "), caption, "\" width=\"", image.width, "\" height=\"",
      image.height, "\" src=\"", data_uri(image), "\"><figcaption>",
      two ? message("<img alt=\"the same at ", picture.image.height, " pixels\" src=\"", data_uri(picture.image), "\">")
          : "",
      caption, "</figcaption></figure>\n");
}

Section picture_section(const PictureSection& pictures) {
  std::string out;
  for (const PictureRow& row : pictures.rows) {
    out += message("<h3>", escape_html(row.title), "</h3>\n<div class=\"pictures\">\n");
    for (const PictureRow::Picture& picture : row.pictures) out += picture_html(row, picture);
    out += "</div>\n";
  }
  return {pictures.id, pictures.heading, pictures.note, out};
}

std::vector<KeyFigure> figures_of(const Report& report) {
  const Assessment& run = report.assessments.front();
  const EvaluatedRun& record = report.arms.front().runs.front();
  std::vector<KeyFigure> figures = {
      {fixed(run.auc_delong.value, 3), "test AUC, mean of labels", bounds(run.auc_delong)},
      {fixed(run.average_precision.value, 3), "average precision", bounds(run.average_precision)}};
  if (run.confusion)
    figures.push_back({fixed(run.confusion->quadratic_weighted_kappa(), 3), "quadratic weighted kappa",
                       "accuracy " + fixed(run.confusion->accuracy(), 3)});
  else
    figures.push_back(
        {fixed(run.calibration.pooled, 3), "calibration error", fixed(run.calibrated->pooled, 3) + " after scaling"});
  figures.push_back({grouped(record.source.table.rows()), "test images",
                     grouped(record.source.validation->rows()) + " for validation"});
  return figures;
}

std::string lead_of(const Report& report) {
  if (!report.lead.empty()) return report.lead;
  const EvaluatedRun& run = report.arms.front().runs.front();
  if (report.arms.size() > 1)
    return message(report.arms.size(), " ways to train, compared on the same measures. The first, \"",
                   report.arms.front().name, "\", is the one the others are compared with.");
  return message("A ", run.card.network.name, " with ", grouped(run.parameters), " parameters, trained on ",
                 run.config.value("data", run.card.data), run.config.contains("teacher") ? " under a teacher" : "",
                 ".");
}

// Those of the usual columns that divide the images.
std::vector<std::string> subgroup_columns(const PredictionTable& table) {
  std::vector<std::string> columns;
  for (const char* column : {"sex", "age", "view", "site"})
    if (table.find(column) != nullptr && groups_by(table, column).size() >= 2) columns.push_back(column);
  return columns;
}

}  // namespace

void add_numbers(Report& report, const EvaluationOptions& options) {
  AssessmentOptions each{options};
  ComparisonOptions all{options};
  each.missing_threshold = std::nan("");
  each.curves = true;
  all.gaps_of_first_runs = true;
  all.precisions = false;
  for (const Arm& arm : report.arms) {
    const Source& source = arm.runs.front().source;
    if (options.resamples > 0) each.subgroups = subgroup_columns(source.table);
    if (report.assessments.empty()) all.subgroups = each.subgroups;
    report.assessments.push_back(assess(source, each));
  }
  report.comparison = compare(report.arms, all);
}

std::string arm_style(const Report& report, std::size_t arm) {
  // A single arm is blue; the first of several, which the others are compared with, is grey.
  return message("arm-", report.arms.size() == 1 ? 2 : arm % 8);
}

std::string title_of(const Report& report) {
  if (!report.title.empty()) return report.title;
  const EvaluatedRun& run = report.arms.front().runs.front();
  return report.arms.size() == 1 ? run.name : message("Comparison of ", report.arms.size(), " ways to train");
}

std::string render_html(const Report& report) {
  Page page;
  page.title = title_of(report);
  page.lead = lead_of(report);
  page.summary = summary_text(report);
  if (report.arms.size() == 1) page.opening = key_figures(figures_of(report));
  for (Section (*part)(const Report&) : {performance_section, label_section, curve_section, learning_section,
                                         transfer_section, calibration_section, decision_section, subgroup_section})
    page.sections.push_back(part(report));
  std::erase_if(page.sections, [](const Section& section) { return section.content.empty(); });
  for (const PictureSection& pictures : report.pictures) page.sections.push_back(picture_section(pictures));
  for (Section (*part)(const Report&) : {data_section, configuration_section, cost_section, environment_section})
    page.sections.push_back(part(report));
  page.footer =
      "Made by Preceptor. This file needs no network and no script. Not a medical device: for research and teaching "
      "only.";
  return render(page);
}

}  // namespace preceptor
