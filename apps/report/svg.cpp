// SVG elements as text.
#include "apps/report/svg.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "apps/report/text.h"
#include "engine/files/check.h"

namespace preceptor::svg {
namespace {

std::string number(double value) { return fixed(value, 1); }

// Sums of steps miss zero by rounding.
std::string tick_text(double value, double step) {
  const int decimals = step < 0.00999 ? 3 : step < 0.0999 ? 2 : step < 0.999 ? 1 : 0;
  return fixed(std::abs(value) < 1e-9 * step ? 0 : value, decimals);
}

}  // namespace

Range::Range() : low(std::numeric_limits<double>::infinity()), high(-low) {}

void Range::include(double value) {
  if (!std::isfinite(value)) return;
  low = std::min(low, value);
  high = std::max(high, value);
}

Range Range::widened() const {
  if (!(low <= high)) return {0, 1};
  const double air = std::max(0.04 * (high - low), 0.005);
  return {low - air, high + air};
}

std::string open(const std::string& style, double width, double height, const std::string& title,
                 const std::string& description) {
  return message("<svg class=\"", style, "\" viewBox=\"0 0 ", number(width), " ", number(height),
                 "\" role=\"img\" aria-label=\"", escape_html(title + ". " + description), "\"><title>",
                 escape_html(title), "</title>");
}

std::string line(double x1, double y1, double x2, double y2, const std::string& style) {
  return message("<line class=\"", style, "\" x1=\"", number(x1), "\" y1=\"", number(y1), "\" x2=\"", number(x2),
                 "\" y2=\"", number(y2), "\"/>");
}

std::string text(double x, double y, const std::string& style, const std::string& words) {
  return message("<text class=\"", style, "\" x=\"", number(x), "\" y=\"", number(y), "\">", escape_html(words),
                 "</text>");
}

std::string circle(double x, double y, double radius, const std::string& style) {
  return message("<circle class=\"", style, "\" cx=\"", number(x), "\" cy=\"", number(y), "\" r=\"", number(radius),
                 "\"/>");
}

std::string rectangle(double x, double y, double width, double height, const std::string& style) {
  return message("<rect class=\"", style, "\" x=\"", number(x), "\" y=\"", number(y), "\" width=\"", number(width),
                 "\" height=\"", number(height), "\"/>");
}

std::string path(const Points& points, const Scale& x, const Scale& y, const std::string& style) {
  std::string steps;
  for (const auto& [px, py] : points) {
    if (std::isnan(px) || std::isnan(py)) continue;
    steps += message(steps.empty() ? "M" : "L", number(x(px)), " ", number(y(py)));
  }
  return message("<path class=\"", style, "\" d=\"", steps, "\"/>");
}

std::string band(const Points& low, const Points& high, const Scale& x, const Scale& y, const std::string& style) {
  Points outline = low;
  outline.insert(outline.end(), high.rbegin(), high.rend());
  return path(outline, x, y, "area " + style);
}

double tick_step(double span, int wanted) {
  const double power = std::pow(10.0, std::floor(std::log10(span / wanted)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (span / (factor * power) <= wanted) return factor * power;
  return 10 * power;
}

std::string left_axis(const Scale& y, double left, double right, int wanted) {
  const double step = tick_step(y.high - y.low, wanted);
  std::string out;
  for (double value = std::ceil(y.low / step - 1e-9) * step; value <= y.high + step * 1e-6; value += step)
    out += line(left, y(value), right, y(value), "grid") +
           text(left - 8, y(value) + 5, "tick end", tick_text(value, step));
  return out;
}

std::string bottom_axis(const Scale& x, double top, double bottom, int wanted) {
  const double step = tick_step(x.high - x.low, wanted);
  std::string out;
  for (double value = std::ceil(x.low / step - 1e-9) * step; value <= x.high + step * 1e-6; value += step)
    out += line(x(value), top, x(value), bottom, "grid") +
           text(x(value), bottom + 20, "tick middle", tick_text(value, step));
  return out;
}

std::string epoch_axis(const Scale& x, double baseline, int wanted) {
  const int step = std::max(1, static_cast<int>(tick_step(x.high, wanted)));
  std::string out = text(x(1), baseline + 22, "tick middle", "1");
  for (int epoch = step; epoch <= static_cast<int>(x.high); epoch += step)
    if (epoch > 1) out += text(x(epoch), baseline + 22, "tick middle", std::to_string(epoch));
  return out;
}

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

}  // namespace preceptor::svg
