// The words of a drawing: scales, axes, lines, labels, as inline SVG. Colors come from the page's style sheet.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace preceptor::svg {

// Maps values of [low, high] to pixels [from, to].
struct Scale {
  double low, high, from, to;
  double operator()(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

// The least range that holds all that was included; NaN is left out.
struct Range {
  Range();
  Range(double least, double greatest) : low(least), high(greatest) {}
  double low, high;

  void include(double value);
  // Never empty, and with air around the outermost marks.
  Range widened() const;
};

using Points = std::vector<std::pair<double, double>>;

// `title` is what hovering shows; title and description together are what a screen reader reads.
std::string open(const std::string& style, double width, double height, const std::string& title,
                 const std::string& description);
std::string line(double x1, double y1, double x2, double y2, const std::string& style);
std::string text(double x, double y, const std::string& style, const std::string& words);
std::string circle(double x, double y, double radius, const std::string& style);
std::string rectangle(double x, double y, double width, double height, const std::string& style);
// Points with a NaN are left out.
std::string path(const Points& points, const Scale& x, const Scale& y, const std::string& style);
// The area between two curves over the same x, (x, low) and (x, high).
std::string band(const Points& low, const Points& high, const Scale& x, const Scale& y, const std::string& style);

// Steps of 1, 2 or 5 times a power of ten, so that about `wanted` fit.
double tick_step(double span, int wanted);
// Grid lines across a range of values, with the values at the left or below.
std::string left_axis(const Scale& y, double left, double right, int wanted);
std::string bottom_axis(const Scale& x, double top, double bottom, int wanted);
// Whole numbers from 1.
std::string epoch_axis(const Scale& x, double baseline, int wanted);

// Moves labels apart until no two are closer than `distance`, keeping their order.
std::vector<double> spread(const std::vector<double>& wanted, double distance, double low, double high);

}  // namespace preceptor::svg
