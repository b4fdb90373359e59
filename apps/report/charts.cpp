// Charts made of scales, axes and marks.
#include "apps/report/charts.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "apps/report/text.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

using svg::Points;
using svg::Range;
using svg::Scale;

Points by_epoch(const std::vector<double>& values) {
  Points points;
  for (std::size_t i = 0; i < values.size(); ++i) points.push_back({static_cast<double>(i + 1), values[i]});
  return points;
}

std::optional<double> last_known(const std::vector<double>& values) {
  const auto known = std::find_if(values.rbegin(), values.rend(), [](double value) { return !std::isnan(value); });
  return known == values.rend() ? std::nullopt : std::optional(*known);
}

// Labels at the ends of the lines, joined to them where they had to move.
std::string end_labels(const std::vector<CurveSeries>& series, const std::vector<std::vector<double>>& means,
                       const Scale& x, const Scale& y) {
  std::vector<double> wanted;
  for (const std::vector<double>& mean : means) wanted.push_back(last_known(mean) ? y(*last_known(mean)) : y.from);
  const std::vector<double> placed = svg::spread(wanted, 26, y.to + 8, y.from - 4);
  std::string out;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const double end = x(static_cast<double>(std::max<std::size_t>(1, means[i].size())));
    out += svg::line(end + 4, wanted[i], end + 18, placed[i], "leader " + series[i].style) +
           svg::text(end + 22, placed[i] + 5, "label " + series[i].style, series[i].label);
  }
  return out;
}

}  // namespace

std::vector<double> mean_curve(const std::vector<std::vector<double>>& seeds) {
  std::vector<Mean> means;
  for (const std::vector<double>& seed : seeds) {
    means.resize(std::max(means.size(), seed.size()));
    for (std::size_t i = 0; i < seed.size(); ++i) means[i].add(seed[i]);
  }
  std::vector<double> curve;
  for (const Mean& mean : means) curve.push_back(mean.value());
  return curve;
}

std::string curve_chart(const std::vector<CurveSeries>& series, const std::string& title,
                        const std::string& description) {
  constexpr double width = 720, height = 420, left = 64, right = 535, top = 16, bottom = 366;
  Range range;
  std::size_t epochs = 2;
  std::vector<std::vector<double>> means;
  for (const CurveSeries& one : series) {
    for (const std::vector<double>& seed : one.seeds)
      for (const double value : seed) range.include(value);
    means.push_back(mean_curve(one.seeds));
    epochs = std::max(epochs, means.back().size());
  }
  range = range.widened();
  const Scale x{1, static_cast<double>(epochs), left, right}, y{range.low, range.high, bottom, top};
  std::string out = svg::open("chart wide", width, height, title, description) + svg::left_axis(y, left, right, 6) +
                    svg::epoch_axis(x, bottom, 8) + svg::text(right, bottom + 48, "tick end", "epoch");
  for (const CurveSeries& one : series)
    if (one.seeds.size() > 1)
      for (const std::vector<double>& seed : one.seeds) out += svg::path(by_epoch(seed), x, y, "seed " + one.style);
  for (std::size_t i = 0; i < series.size(); ++i) out += svg::path(by_epoch(means[i]), x, y, "mean " + series[i].style);
  return out + end_labels(series, means, x, y) + "</svg>";
}

std::string gap_chart(const GapPanel& panel, Range given) {
  constexpr double width = 300, height = 220, left = 46, right = 290, top = 12, bottom = 184;
  const std::size_t epochs = std::max<std::size_t>(2, panel.training.size());
  const Range range = Range{given.low, given.high + 0.08 * (given.high - given.low)}.widened();
  const Scale x{1, static_cast<double>(epochs), left, right}, y{range.low, range.high, bottom, top};
  const double training = panel.training.empty() ? range.low : panel.training.back();
  const double validation = panel.validation.empty() ? range.low : panel.validation.back();
  // Each line is named on the side where the other one is not.
  const bool above = training >= validation;
  const auto name = [&](double value, bool over, const char* words) {
    const double at = std::isnan(value) ? bottom : std::clamp(y(value) + (over ? -7 : 17), top + 12, bottom - 4);
    return svg::text(right - 2, at, "tick end strong", words);
  };
  std::string out = svg::open("chart", width, height, panel.name + ", " + panel.quantity,
                              message("Training ", panel.quantity, " ends at ", fixed(training, 3), ", validation ",
                                      panel.quantity, " at ", fixed(validation, 3))) +
                    svg::left_axis(y, left, right, 4) + svg::epoch_axis(x, bottom, 5);
  if (panel.chosen_epoch > 0)
    out += svg::line(x(panel.chosen_epoch), top, x(panel.chosen_epoch), bottom, "chosen dashed");
  return out + svg::band(by_epoch(panel.training), by_epoch(panel.validation), x, y, panel.style) +
         svg::path(by_epoch(panel.training), x, y, "mean dashed " + panel.style) +
         svg::path(by_epoch(panel.validation), x, y, "mean " + panel.style) + name(training, above, "training") +
         name(validation, !above, "validation") + "</svg>";
}

std::string interval_chart(const std::vector<IntervalRow>& rows, const std::string& axis, const std::string& title,
                           const std::string& description) {
  constexpr double width = 720, right = 700, top = 10, row_height = 40;
  // Room for the longest label, in the larger letters of a phone.
  std::size_t longest = 0;
  for (const IntervalRow& row : rows) longest = std::max(longest, row.label.size());
  const double left = std::clamp(17.0 * static_cast<double>(longest) + 20, 130.0, 420.0);
  const double bottom = top + row_height * static_cast<double>(rows.size());
  Range range;
  for (const IntervalRow& row : rows) {
    for (const double value : {row.thick.value, row.thick.low, row.thick.high, row.thin.low, row.thin.high})
      range.include(value);
    for (const double value : row.points) range.include(value);
  }
  range = range.widened();
  const Scale x{range.low, range.high, left, right};
  std::string out = svg::open("chart wide", width, bottom + 56, title, description) +
                    svg::bottom_axis(x, top, bottom, 6) + svg::text(right, bottom + 48, "tick end", axis);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const IntervalRow& row = rows[i];
    const double y = top + row_height * (static_cast<double>(i) + 0.5);
    out += svg::text(left - 14, y + 5, "label end " + row.style, row.label);
    if (std::isnan(row.thick.value)) {
      out += svg::text(left + 6, y + 5, "tick", "undefined: one class only");
      continue;
    }
    for (const auto& [kind, interval] : {std::pair{"thin ", row.thin}, {"thick ", row.thick}})
      if (!std::isnan(interval.low) && !std::isnan(interval.high))
        out += svg::line(x(interval.low), y, x(interval.high), y, kind + row.style);
    for (const double value : row.points) out += svg::line(x(value), y - 11, x(value), y - 5, "seed-mark " + row.style);
    out += svg::circle(x(row.thick.value), y, 6, "dot " + row.style);
  }
  return out + "</svg>";
}

std::string square_chart(const SquareChart& chart) {
  constexpr double width = 320, height = 324, left = 34, right = 306, top = 22, bottom = 280;
  const Scale x{0, 1, left, right}, y{0, 1, bottom, top};
  std::string out = svg::open("chart", width, height, chart.title, chart.description) +
                    svg::left_axis(y, left, right, 5) + svg::bottom_axis(x, top, bottom, 5) +
                    svg::text(right, bottom + 40, "tick end", chart.x_name) +
                    svg::text(left, top - 9, "tick", chart.y_name);
  if (chart.diagonal) out += svg::line(x(0), y(0), x(1), y(1), "guide");
  if (chart.horizontal >= 0) out += svg::line(x(0), y(chart.horizontal), x(1), y(chart.horizontal), "guide");
  for (const SquareCurve& curve : chart.curves)
    if (!curve.low.empty()) out += svg::band(curve.low, curve.high, x, y, curve.style);
  for (const SquareCurve& curve : chart.curves) out += svg::path(curve.points, x, y, "mean " + curve.style);
  return out + "</svg>";
}

std::string reliability_chart(const std::vector<ReliabilityCurve>& curves, const std::string& title,
                              const std::string& description) {
  constexpr double width = 320, height = 372, left = 34, right = 306, top = 22, bottom = 280, foot = 328;
  const Scale x{0, 1, left, right}, y{0, 1, bottom, top};
  std::string out = svg::open("chart", width, height, title, description) + svg::left_axis(y, left, right, 5) +
                    svg::line(x(0), y(0), x(1), y(1), "guide") +
                    svg::text(left, top - 9, "tick", "share that is positive");
  double most = 1;
  if (!curves.empty())
    for (const ReliabilityCurve::Bin& bin : curves.front().bins) most = std::max(most, bin.rows);
  for (double value : {0.0, 0.2, 0.4, 0.6, 0.8, 1.0})
    out += svg::text(x(value), foot + 18, "tick middle", fixed(value, 1));
  out += svg::text(right, foot + 40, "tick end", "predicted probability") + svg::line(left, foot, right, foot, "grid");
  for (const ReliabilityCurve& curve : curves) {
    Points points;
    for (const ReliabilityCurve::Bin& bin : curve.bins) points.push_back({bin.probability, bin.share});
    out += svg::path(points, x, y, "mean " + curve.style);
    for (const ReliabilityCurve::Bin& bin : curve.bins)
      out += svg::circle(x(bin.probability), y(bin.share), 2.5 + 3 * std::sqrt(bin.rows / most), "dot " + curve.style);
  }
  // Square roots, so that bins with few rows stay visible.
  if (!curves.empty())
    for (const ReliabilityCurve::Bin& bin : curves.front().bins) {
      const double tall = 34 * std::sqrt(bin.rows / most);
      out += svg::rectangle(x(bin.probability) - 4, foot - tall, 8, tall, "count " + curves.front().style);
    }
  return out + "</svg>";
}

}  // namespace preceptor
