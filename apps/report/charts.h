// Charts of a report as inline SVG. Colors come from the page's style sheet: class "arm-0", "arm-1", ...
#pragma once

#include <string>
#include <vector>

#include "apps/report/svg.h"
#include "data/metrics/interval.h"

namespace preceptor {

// A value per epoch for each seed, and what the line is called.
struct CurveSeries {
  std::string label, style;
  std::vector<std::vector<double>> seeds;
};
// One thick line (mean over seeds) and thin ones (each seed) per series, labelled at their ends.
std::string curve_chart(const std::vector<CurveSeries>& series, const std::string& title,
                        const std::string& description);

// By epoch, over the seeds that have reached it and have a value there; NaN where none has.
std::vector<double> mean_curve(const std::vector<std::vector<double>>& seeds);

// Training against validation of one arm, means over seeds, with the area between them filled. The vertical range is
// given so that panels can be compared.
struct GapPanel {
  std::string name, style, quantity;  // quantity: "AUC", "loss"
  std::vector<double> training, validation;
  int chosen_epoch = 0;  // marked; 0: none
};
std::string gap_chart(const GapPanel& panel, svg::Range range);

// A row of the interval chart: a dot at the thick interval's value, both intervals, and the values of single seeds. NaN
// bounds: no interval.
struct IntervalRow {
  std::string label, style;
  Interval thick, thin;
  std::vector<double> points;
};
std::string interval_chart(const std::vector<IntervalRow>& rows, const std::string& axis, const std::string& title,
                           const std::string& description);

// Curves over the unit square, each with its band: ROC and precision-recall.
struct SquareCurve {
  std::string style;
  svg::Points points;
  svg::Points low, high;  // empty: no band
};
struct SquareChart {
  std::string title, description, x_name, y_name;
  bool diagonal = false;   // what chance gives: the diagonal, or
  double horizontal = -1;  // this height; negative: none
  std::vector<SquareCurve> curves;
};
std::string square_chart(const SquareChart& chart);

// Observed share against mean probability by bin, with the number of rows in every bin at the foot.
struct ReliabilityCurve {
  struct Bin {
    double probability, share, rows;
  };
  std::string style;
  std::vector<Bin> bins;
};
// The first curve's rows are those at the foot.
std::string reliability_chart(const std::vector<ReliabilityCurve>& curves, const std::string& title,
                              const std::string& description);

}  // namespace preceptor
