// Assessments for people, for programs and for plotting.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "apps/evaluation/assessment.h"

namespace preceptor {

// Tables of numbers with intervals; `--subgroups` side by side for several.
std::string assessments_text(const std::vector<Assessment>& assessments);

// The keys of result.json (n, auc_macro, auc_low, auc_high, auc, accuracy, undefined, loss) and everything else. NaN
// becomes null.
nlohmann::ordered_json assessment_json(const Assessment& assessment);
// "0.912 [0.880 to 0.944]"
std::string interval_text(const Interval& interval, bool sign);
nlohmann::ordered_json interval_json(const Interval& interval);

// Writes roc.csv, precision_recall.csv and reliability.csv, each with the columns `source` and `label` first; of the
// curves the corners. Errors: io.
void write_curves(const std::string& folder, const std::vector<Source>& sources);

}  // namespace preceptor
