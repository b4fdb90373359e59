// Charts of a study as inline SVG. Colours come from the page's style sheet: class "arm-0", "arm-1", ...
#pragma once

#include <string>
#include <vector>

namespace preceptor {

// Text as HTML and SVG want it.
std::string escape_html(const std::string& text);

// A value per epoch for each seed, and what the line is called.
struct CurveSeries {
  std::string label;
  std::vector<std::vector<double>> seeds;
};

// One thick line (mean over seeds) and thin ones (each seed) per series, labelled at their ends.
std::string curve_chart(const std::vector<CurveSeries>& series, const std::string& title,
                        const std::string& description);

// Training against validation of one arm, means over seeds, with the area between them filled. The vertical range is
// given so that panels can be compared.
struct GapPanel {
  std::string name;
  std::string style;  // class of its colour
  std::vector<double> training, validation;
};
std::string gap_chart(const GapPanel& panel, double low, double high);

// A row of the interval chart: points of single seeds, their mean, and two intervals.
struct IntervalRow {
  std::string label, style;
  double mean = 0;
  double thick_low = 0, thick_high = 0;  // NaN: none
  double thin_low = 0, thin_high = 0;
  std::vector<double> points;
};
std::string interval_chart(const std::vector<IntervalRow>& rows, const std::string& title,
                           const std::string& description);

// By epoch, over the seeds that have reached it.
std::vector<double> mean_curve(const std::vector<std::vector<double>>& seeds);

}  // namespace preceptor
