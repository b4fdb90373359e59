// The whole report, from its parts.
#include "apps/report/report.h"

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
  const RunAnalysis& run = report.analyses.front().front();
  const RunRecord& record = report.arms.front().runs.front();
  std::vector<KeyFigure> figures = {
      {fixed(run.macro_auc.value, 3), "test AUC, mean of labels", bounds(run.macro_auc.low, run.macro_auc.high)},
      {fixed(run.macro_average_precision.value, 3), "average precision",
       bounds(run.macro_average_precision.low, run.macro_average_precision.high)}};
  if (run.confusion)
    figures.push_back({fixed(run.confusion->quadratic_weighted_kappa(), 3), "quadratic weighted kappa",
                       "accuracy " + fixed(run.confusion->accuracy(), 3)});
  else
    figures.push_back({fixed(expected_calibration_error(run.reliability), 3), "calibration error",
                       fixed(expected_calibration_error(run.reliability_after), 3) + " after scaling"});
  figures.push_back(
      {grouped(record.test.rows()), "test images", grouped(record.validation.rows()) + " for validation"});
  return figures;
}

std::string lead_of(const Report& report) {
  if (!report.lead.empty()) return report.lead;
  const RunRecord& run = report.arms.front().runs.front();
  if (report.arms.size() > 1)
    return message(report.arms.size(), " ways to train, compared on the same measures. The first, \"",
                   report.arms.front().name, "\", is the one the others are compared with.");
  return message("A ", run.card.network.name, " with ", grouped(static_cast<long long>(run.parameters)),
                 " parameters, trained on ", run.config.value("data", run.card.data),
                 run.config.contains("teacher") ? " under a teacher" : "", ".");
}

}  // namespace

std::string arm_style(const Report& report, std::size_t arm) {
  // A single arm is blue; the first of several, which the others are compared with, is grey.
  return message("arm-", report.arms.size() == 1 ? 2 : arm % 8);
}

std::string title_of(const Report& report) {
  if (!report.title.empty()) return report.title;
  const RunRecord& run = report.arms.front().runs.front();
  return report.arms.size() == 1 ? run.name : message("Comparison of ", report.arms.size(), " ways to train");
}

std::string render_html(const Report& report) {
  Page page;
  page.title = title_of(report);
  page.lead = lead_of(report);
  page.summary = summary_text(report);
  if (report.arms.size() == 1) page.opening = key_figures(figures_of(report));
  page.sections = {performance_section(report), label_section(report), curve_section(report), learning_section(report)};
  if (std::optional<Section> transfer = transfer_section(report)) page.sections.push_back(std::move(*transfer));
  for (Section (*part)(const Report&) : {calibration_section, decision_section}) page.sections.push_back(part(report));
  if (std::optional<Section> subgroups = subgroup_section(report)) page.sections.push_back(std::move(*subgroups));
  for (const PictureSection& pictures : report.pictures) page.sections.push_back(picture_section(pictures));
  for (Section (*part)(const Report&) : {data_section, configuration_section, cost_section, environment_section})
    page.sections.push_back(part(report));
  page.footer =
      "Made by Preceptor. This file needs no network and no script. Not a medical device: for research and teaching "
      "only.";
  return render(page);
}

}  // namespace preceptor
