// Puts numbers, charts and pictures of a study into one HTML page.
#include "apps/studies/report.h"

// The library is one header; here is its one definition. Its files are never written to disk.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wconversion"
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <cmath>
#include <limits>

#include "apps/studies/charts.h"
#include "apps/studies/report_style.h"
#include "engine/check.h"

namespace preceptor {
namespace {

std::string base64(const std::string& bytes) {
  constexpr const char* letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t given = std::min<std::size_t>(3, bytes.size() - i);
    unsigned group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8 | (k < given ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (std::size_t k = 0; k < 4; ++k) out += k <= given ? letters[group >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

std::string data_uri(const std::vector<std::uint8_t>& pixels, int size, int channels) {
  std::string png;
  const auto append = [](void* out, void* data, int bytes) {
    static_cast<std::string*>(out)->append(static_cast<const char*>(data), static_cast<std::size_t>(bytes));
  };
  const int done = stbi_write_png_to_func(append, &png, size, size, channels, pixels.data(), size * channels);
  if (done == 0) fail(ErrorKind::internal, "report: a picture could not be encoded");
  return "data:image/png;base64," + base64(png);
}

std::string arm_style(std::size_t index) { return message("arm-", index); }

std::string bounds(double low, double high, bool sign = false) {
  return std::isnan(low) ? "one seed" : message(fixed(low, 3, sign), " to ", fixed(high, 3, sign));
}

std::string cell(const std::string& value, const std::string& small = "") {
  return message("<td>", value, small.empty() ? "" : "<small>" + small + "</small>", "</td>");
}

std::string arm_row(const Comparison& comparison, std::size_t index) {
  const Arm& arm = comparison.arms[index];
  const ArmSummary summary = summarize(comparison, index);
  std::string row = message("<tr><th scope=\"row\"><span class=\"swatch ", arm_style(index), "\"></span>",
                            escape_html(arm.name), "<small>", escape_html(arm.start), "</small></th>");
  row += cell("<b>" + fixed(summary.auc.value, 3) + "</b>", bounds(summary.auc.low, summary.auc.high));
  row += cell(bounds(summary.bootstrap_low, summary.bootstrap_high));
  row += summary.difference ? cell(fixed(summary.difference->value, 3, true),
                                   bounds(summary.difference->low, summary.difference->high, true))
                            : cell("&ndash;");
  return row + cell(fixed(summary.gap, 3, true)) + cell(fixed(summary.seconds, 1)) + "</tr>\n";
}

std::string table(const Comparison& comparison) {
  std::string out =
      "<div class=\"card scroll\"><table><thead><tr><th scope=\"col\">Arm and its start</th><th scope=\"col\">Test "
      "AUC, "
      "95&#8239;% over seeds</th><th scope=\"col\">95&#8239;% bootstrap, first seed</th><th "
      "scope=\"col\">Difference, "
      "paired by seed</th><th scope=\"col\">Training &minus; validation</th><th scope=\"col\">Seconds a "
      "run</th></tr></thead>\n<tbody>\n";
  for (std::size_t i = 0; i < comparison.arms.size(); ++i) out += arm_row(comparison, i);
  for (const Reference& reference : comparison.references)
    out +=
        message("<tr class=\"reference\"><th scope=\"row\"><span class=\"swatch reference-mark\"></span>",
                escape_html(reference.name), "<small>", escape_html(reference.network), "</small></th>",
                cell(fixed(reference.test.auc_macro, 3)), cell(bounds(reference.test.auc_low, reference.test.auc_high)),
                cell("&ndash;"), cell("&ndash;"), cell(fixed(reference.seconds, 1)), "</tr>\n");
  return out + "</tbody></table></div>\n";
}

std::string intervals(const Comparison& comparison) {
  std::vector<IntervalRow> rows;
  std::string description;
  for (std::size_t i = 0; i < comparison.arms.size(); ++i) {
    const ArmSummary summary = summarize(comparison, i);
    IntervalRow row{comparison.arms[i].label, arm_style(i),          summary.auc.value,      summary.auc.low,
                    summary.auc.high,         summary.bootstrap_low, summary.bootstrap_high, {}};
    for (const TrainingResult& run : comparison.arms[i].runs) row.points.push_back(run.test.auc_macro);
    rows.push_back(row);
    description += comparison.arms[i].name + " " + fixed(summary.auc.value, 3) + ". ";
  }
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  for (const Reference& reference : comparison.references) {
    rows.push_back({reference.label,
                    "reference-mark",
                    reference.test.auc_macro,
                    none,
                    none,
                    reference.test.auc_low,
                    reference.test.auc_high,
                    {}});
    description += reference.name + " " + fixed(reference.test.auc_macro, 3) + ". ";
  }
  return "<div class=\"card\">" + interval_chart(rows, "Test AUC of every arm", description) + "</div>\n";
}

std::vector<std::vector<double>> curves(const Arm& arm, double EpochRow::*value) {
  std::vector<std::vector<double>> seeds;
  for (const TrainingResult& run : arm.runs) {
    seeds.emplace_back();
    for (const EpochRow& row : run.epochs) seeds.back().push_back(row.*value);
  }
  return seeds;
}

std::string learning_curves(const Comparison& comparison) {
  std::vector<CurveSeries> series;
  std::string description = "Mean over seeds at the last epoch: ";
  for (const Arm& arm : comparison.arms) {
    series.push_back({arm.label, curves(arm, &EpochRow::val_auc)});
    const std::vector<double> mean = mean_curve(series.back().seeds);
    description += arm.name + " " + fixed(mean.empty() ? 0 : mean.back(), 3) + ". ";
  }
  return "<div class=\"card\">" + curve_chart(series, "Validation AUC by epoch", description) + "</div>\n";
}

std::string gap_panels(const Comparison& comparison) {
  std::vector<GapPanel> panels;
  double low = 1, high = 0;
  for (std::size_t i = 0; i < comparison.arms.size(); ++i) {
    const Arm& arm = comparison.arms[i];
    panels.push_back({arm.name, arm_style(i), mean_curve(curves(arm, &EpochRow::train_auc)),
                      mean_curve(curves(arm, &EpochRow::val_auc))});
    for (const std::vector<double>* values : {&panels.back().training, &panels.back().validation})
      for (const double value : *values) {
        low = std::min(low, value);
        high = std::max(high, value);
      }
  }
  std::string out = "<div class=\"panels\">\n";
  for (const GapPanel& panel : panels)
    out += message("<div class=\"card\"><h3 class=\"", panel.style, "\">", escape_html(panel.name), "</h3>",
                   gap_chart(panel, low, high), "</div>\n");
  return out + "</div>\n";
}

std::string picture_rows(const std::vector<PictureRow>& rows) {
  std::string out;
  for (const PictureRow& row : rows) {
    out += "<h3>" + escape_html(row.title) + "</h3>\n<div class=\"pictures\">\n";
    for (const Picture& picture : row.pictures)
      out += message("<figure><img alt=\"", escape_html(row.title + ", " + picture.caption), "\" src=\"",
                     data_uri(picture.large_pixels, picture.large_size, picture.channels),
                     "\"><figcaption><img alt=\"the same at ", picture.size, " pixels\" src=\"",
                     data_uri(picture.pixels, picture.size, picture.channels), "\">", escape_html(picture.caption),
                     "</figcaption></figure>\n");
    out += "</div>\n";
  }
  return out;
}

std::string section(const std::string& heading, const std::string& note, const std::string& content) {
  return message("<section>\n<h2>", heading, "</h2>\n", note.empty() ? "" : "<p class=\"note\">" + note + "</p>\n",
                 content, "</section>\n");
}

std::string setting_list(const Report& report) {
  std::string out = "<dl class=\"card\">\n";
  for (const auto& [name, value] : report.settings)
    out += message("<dt>", escape_html(name), "</dt><dd>", escape_html(value), "</dd>\n");
  return out + "</dl>\n";
}

}  // namespace

std::string render_report(const Report& report) {
  const Comparison& comparison = report.comparison;
  std::string page = message(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, initial-scale=1\">\n<title>",
      escape_html(report.title), "</title>\n<style>", report_style, "</style>\n</head>\n<body>\n<main>\n<header>\n<h1>",
      escape_html(report.title), "</h1>\n<p>", escape_html(report.question),
      "</p>\n</header>\n<div class=\"conclusion\"><p>", escape_html(conclusion(comparison)), "</p></div>\n");
  page += section("Test AUC",
                  "Dot: mean over seeds. Short strokes: single seeds. Broad band: 95&#8239;% t interval over seeds, "
                  "which measures how much training varies. Thin line: 95&#8239;% bootstrap interval of the first "
                  "seed, which measures how much the choice of test images matters.",
                  intervals(comparison));
  page +=
      section("The numbers", "Same target sample, same epochs, same student network in every arm.", table(comparison));
  page += section("Learning curves",
                  "Validation AUC after each epoch: thick lines are means over seeds, thin lines single seeds. The "
                  "epoch with the best validation AUC is the one that was tested.",
                  learning_curves(comparison));
  page += section("Training against validation",
                  "Means over seeds on one scale. The shaded gap is what was learned about the training images alone. "
                  "Training values are collected during the epoch, so early ones lag behind.",
                  gap_panels(comparison));
  if (!report.pictures.empty())
    page += section("The images", "Synthetic phantoms. Below each drawing is the same patient as the networks see it.",
                    picture_rows(report.pictures));
  page += section("How it was made", "", setting_list(report));
  return page +
         "<footer>Made by preceptor-quickstart. This file needs no network.</footer>\n</main>\n</body>\n</html>\n";
}

}  // namespace preceptor
