// Operating points of networks: fitted on validation predictions, applied to any others.
#pragma once

#include "data/metrics/decisions.h"
#include "data/predictions/predictions.h"
#include "models/operating_point.h"

namespace preceptor {

// Thresholds by the rule (see choose_threshold), a temperature for classes, Platt's scale for each finding.
OperatingPoint fit_operating_point(const PredictionTable& validation, const ThresholdRule& rule);

// Probabilities [rows, outputs] after the point's scalings. Thresholds belong to those before; the scalings keep the
// order of images, so decisions stay the same.
std::vector<double> calibrated(const OperatingPoint& point, Task task, int outputs, std::vector<double> probabilities);

}  // namespace preceptor
