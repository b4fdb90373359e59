// Results as JSON and CSV.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "apps/runs/progress.h"
#include "data/metrics/metrics.h"

namespace preceptor {

// n, auc_macro, auc_low, auc_high, auc (by label; null where undefined), accuracy, undefined. NaN becomes null.
nlohmann::ordered_json evaluation_json(const Evaluation& evaluation);

// The numbers of an epoch under the names of metrics.csv, without the epoch. NaN becomes null where
// the JSON is written.
nlohmann::ordered_json epoch_json(const EpochRow& row);
// The same numbers, read from such an object, under TensorBoard's names: "loss/validation", and meters as they are
// called. Anything but a number becomes NaN.
std::vector<std::pair<std::string, double>> epoch_scalars(const nlohmann::ordered_json& epoch);

// The number of this name in an object; NaN if there is none.
double number_in(const nlohmann::ordered_json& json, const std::string& name);

// A row's meter of this name; NaN where it has none.
double meter_of(const EpochRow& row, const std::string& name);

// metrics.csv: a header, then a row per epoch, with numbers that read back to the same bits. The columns of every run
// come first, then the last row's meters; what a row before it does not know is nan.
std::string metrics_csv(const std::vector<EpochRow>& rows);
// Errors: data, with the line; those of TableReader.
std::vector<EpochRow> read_metrics(const std::string& path);

}  // namespace preceptor
