// Scales, axes and marks of the report's charts.
#include "apps/studies/charts.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "apps/studies/comparison.h"
#include "engine/check.h"

namespace preceptor {
namespace {

// Maps values of [low, high] to pixels [from, to].
struct Scale {
  double low, high, from, to;
  double operator()(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void include(double value) {
    if (std::isnan(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  // Never empty, and with air around the outermost marks.
  Range widened() const {
    if (!(low <= high)) return {0, 1};
    const double air = std::max(0.04 * (high - low), 0.005);
    return {low - air, high + air};
  }
};

std::string number(double value) { return fixed(value, 1); }

// Steps of 1, 2 or 5 times a power of ten, so that about `wanted` fit.
double tick_step(double span, int wanted) {
  const double power = std::pow(10.0, std::floor(std::log10(span / wanted)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (span / (factor * power) <= wanted) return factor * power;
  return 10 * power;
}

std::string line(double x1, double y1, double x2, double y2, const std::string& style) {
  return message("<line class=\"", style, "\" x1=\"", number(x1), "\" y1=\"", number(y1), "\" x2=\"", number(x2),
                 "\" y2=\"", number(y2), "\"/>");
}

std::string text(double x, double y, const std::string& style, const std::string& words) {
  return message("<text class=\"", style, "\" x=\"", number(x), "\" y=\"", number(y), "\">", escape_html(words),
                 "</text>");
}

std::string path(const std::vector<double>& values, const Scale& x, const Scale& y, const std::string& style) {
  std::string points;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i])) continue;
    points += message(points.empty() ? "M" : "L", number(x(static_cast<double>(i + 1))), " ", number(y(values[i])));
  }
  return message("<path class=\"", style, "\" d=\"", points, "\"/>");
}

std::string open_svg(const std::string& style, double width, double height, const std::string& title,
                     const std::string& description) {
  return message("<svg class=\"", style, "\" viewBox=\"0 0 ", number(width), " ", number(height),
                 "\" role=\"img\" aria-label=\"", escape_html(title + ". " + description), "\"><title>",
                 escape_html(title), "</title>");
}

// Horizontal grid lines with values on the left.
std::string value_axis(const Scale& y, double left, double right, int wanted) {
  const double step = tick_step(y.high - y.low, wanted);
  std::string out;
  for (double value = std::ceil(y.low / step) * step; value <= y.high + step * 1e-6; value += step)
    out += line(left, y(value), right, y(value), "grid") +
           text(left - 8, y(value) + 5, "tick end", fixed(value, step < 0.0999 ? 2 : 1));
  return out;
}

std::string epoch_axis(const Scale& x, double baseline, int wanted) {
  const int step = std::max(1, static_cast<int>(tick_step(x.high, wanted)));
  std::string out = text(x(1), baseline + 22, "tick middle", "1");
  for (int epoch = step; epoch <= static_cast<int>(x.high); epoch += step)
    if (epoch > 1) out += text(x(epoch), baseline + 22, "tick middle", std::to_string(epoch));
  return out;
}

// Moves labels apart until no two are closer than `distance`, keeping their order.
std::vector<double> spread(const std::vector<double>& wanted, double distance, double low, double high) {
  std::vector<std::size_t> order(wanted.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return wanted[a] < wanted[b]; });
  std::vector<double> placed = wanted;
  double free_from = low;
  for (const std::size_t i : order) {
    placed[i] = std::max(wanted[i], free_from);
    free_from = placed[i] + distance;
  }
  double free_to = high;
  for (auto i = order.rbegin(); i != order.rend(); ++i) {
    placed[*i] = std::min(placed[*i], free_to);
    free_to = placed[*i] - distance;
  }
  return placed;
}

std::string arm_style(std::size_t index) { return message("arm-", index); }

// Labels at the ends of the lines, joined to them where they had to move.
std::string end_labels(const std::vector<CurveSeries>& series, const std::vector<std::vector<double>>& means,
                       const Scale& x, const Scale& y) {
  std::vector<double> wanted;
  for (const std::vector<double>& mean : means) wanted.push_back(mean.empty() ? y.from : y(mean.back()));
  const std::vector<double> placed = spread(wanted, 26, y.to + 8, y.from - 4);
  std::string out;
  for (std::size_t i = 0; i < series.size(); ++i) {
    const double end = x(static_cast<double>(std::max<std::size_t>(1, means[i].size())));
    out += line(end + 4, wanted[i], end + 18, placed[i], "leader " + arm_style(i)) +
           text(end + 22, placed[i] + 5, "label " + arm_style(i), series[i].label);
  }
  return out;
}

}  // namespace

std::string escape_html(const std::string& words) {
  std::string out;
  for (const char letter : words) {
    if (letter == '&')
      out += "&amp;";
    else if (letter == '<')
      out += "&lt;";
    else if (letter == '>')
      out += "&gt;";
    else if (letter == '"')
      out += "&quot;";
    else
      out += letter;
  }
  return out;
}

std::vector<double> mean_curve(const std::vector<std::vector<double>>& seeds) {
  std::vector<double> mean;
  std::vector<int> counts;
  for (const std::vector<double>& seed : seeds) {
    mean.resize(std::max(mean.size(), seed.size()));
    counts.resize(mean.size());
    for (std::size_t i = 0; i < seed.size(); ++i) {
      mean[i] += seed[i];
      ++counts[i];
    }
  }
  for (std::size_t i = 0; i < mean.size(); ++i) mean[i] /= counts[i];
  return mean;
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
  std::string out = open_svg("chart wide", width, height, title, description) + value_axis(y, left, right, 6) +
                    epoch_axis(x, bottom, 8) + text(right, bottom + 48, "tick end", "epoch");
  for (std::size_t i = 0; i < series.size(); ++i)
    for (const std::vector<double>& seed : series[i].seeds) out += path(seed, x, y, "seed " + arm_style(i));
  for (std::size_t i = 0; i < series.size(); ++i) out += path(means[i], x, y, "mean " + arm_style(i));
  return out + end_labels(series, means, x, y) + "</svg>";
}

std::string gap_chart(const GapPanel& panel, double low, double high) {
  constexpr double width = 300, height = 220, left = 46, right = 290, top = 12, bottom = 184;
  const std::size_t epochs = std::max<std::size_t>(2, panel.training.size());
  const Range range = Range{low, high + 0.08 * (high - low)}.widened();
  const Scale x{1, static_cast<double>(epochs), left, right}, y{range.low, range.high, bottom, top};
  std::string area;
  for (std::size_t i = 0; i < panel.training.size(); ++i)
    area += message(i == 0 ? "M" : "L", number(x(static_cast<double>(i + 1))), " ", number(y(panel.training[i])));
  for (std::size_t i = panel.validation.size(); i-- > 0;)
    area += message("L", number(x(static_cast<double>(i + 1))), " ", number(y(panel.validation[i])));
  const double training = panel.training.empty() ? low : panel.training.back();
  const double validation = panel.validation.empty() ? low : panel.validation.back();
  // Each line is named on the side where the other one is not.
  const bool above = training >= validation;
  return open_svg("chart", width, height, panel.name,
                  message("Training AUC ends at ", fixed(training, 3), ", validation AUC at ", fixed(validation, 3))) +
         value_axis(y, left, right, 4) + epoch_axis(x, bottom, 5) + "<path class=\"area " + panel.style + "\" d=\"" +
         area + "Z\"/>" + path(panel.training, x, y, "mean dashed " + panel.style) +
         path(panel.validation, x, y, "mean " + panel.style) +
         text(right - 2, std::clamp(y(training) + (above ? -7 : 17), top + 12, bottom - 4), "tick end strong",
              "training") +
         text(right - 2, std::clamp(y(validation) + (above ? 17 : -7), top + 12, bottom - 4), "tick end strong",
              "validation") +
         "</svg>";
}

std::string interval_chart(const std::vector<IntervalRow>& rows, const std::string& title,
                           const std::string& description) {
  constexpr double width = 720, left = 166, right = 700, top = 10, row_height = 40;
  const double bottom = top + row_height * static_cast<double>(rows.size());
  Range range;
  for (const IntervalRow& row : rows) {
    for (const double value : {row.mean, row.thick_low, row.thick_high, row.thin_low, row.thin_high})
      range.include(value);
    for (const double value : row.points) range.include(value);
  }
  range = range.widened();
  const Scale x{range.low, range.high, left, right};
  std::string out = open_svg("chart wide", width, bottom + 56, title, description);
  const double step = tick_step(range.high - range.low, 6);
  for (double value = std::ceil(range.low / step) * step; value <= range.high; value += step)
    out += line(x(value), top, x(value), bottom, "grid") +
           text(x(value), bottom + 20, "tick middle", fixed(value, step < 0.0999 ? 2 : 1));
  out += text(right, bottom + 48, "tick end", "test macro AUC");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const IntervalRow& row = rows[i];
    const double y = top + row_height * (static_cast<double>(i) + 0.5);
    out += text(left - 14, y + 5, "label end " + row.style, row.label) +
           line(x(row.thin_low), y, x(row.thin_high), y, "thin " + row.style);
    if (!std::isnan(row.thick_low))
      out += line(std::clamp(x(row.thick_low), left, right), y, std::clamp(x(row.thick_high), left, right), y,
                  "thick " + row.style);
    for (const double value : row.points) out += line(x(value), y - 11, x(value), y - 5, "seed-mark " + row.style);
    out += message("<circle class=\"dot ", row.style, "\" cx=\"", number(x(row.mean)), "\" cy=\"", number(y),
                   "\" r=\"6\"/>");
  }
  return out + "</svg>";
}

}  // namespace preceptor
