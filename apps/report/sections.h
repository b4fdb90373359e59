// The parts of a report, each from the numbers of all arms.
#pragma once

#include "apps/report/page.h"
#include "apps/report/report.h"

namespace preceptor {

// performance.cpp
Section performance_section(const Report& report);
Section label_section(const Report& report);
Section curve_section(const Report& report);  // ROC and precision-recall
// learning.cpp
Section learning_section(const Report& report);
Section transfer_section(const Report& report);  // without content where no arm has methods
// reliability.cpp
Section calibration_section(const Report& report);
Section decision_section(const Report& report);  // thresholds, or of classes who is taken for whom
Section subgroup_section(const Report& report);  // without content where there are none
// provenance.cpp
Section data_section(const Report& report);
Section configuration_section(const Report& report);
Section cost_section(const Report& report);
Section environment_section(const Report& report);

// A table cell of a number with its interval below.
Cell interval_cell(const Interval& interval, bool strong = false);

}  // namespace preceptor
