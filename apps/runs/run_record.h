// A finished run as its directory tells it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "apps/runs/progress.h"
#include "data/predictions/predictions.h"

namespace preceptor {

// A finished run, as it describes its training.
struct RunRecord {
  nlohmann::ordered_json config = nlohmann::ordered_json::object();  // by flag
  nlohmann::ordered_json result = nlohmann::ordered_json::object();  // result.json without the configuration
  std::vector<EpochRow> epochs;                                      // at least up to the best one
  int best_epoch = 0;                                                // from 1
  double seconds = 0;                                                // of its training

  std::string seed() const;  // as JSON has it; empty without a configuration
  const EpochRow& best() const { return epochs[static_cast<std::size_t>(best_epoch - 1)]; }
};

// Nothing in the files is trusted. Errors: missing_input, with what writes the missing file; data, io.
RunRecord read_record(const std::string& directory);

// Predictions of a finished run for "val" or "test". Errors: missing_input, with what writes the file; data, io.
PredictionTable read_run_predictions(const std::string& directory, const std::string& split);

// SHA-256 in hexadecimal digits.
std::string sha256(const std::string& bytes);

}  // namespace preceptor
