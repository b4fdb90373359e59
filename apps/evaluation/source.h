// Where the numbers of an evaluation come from: checkpoints, runs and tables of predictions.
#pragma once

#include <optional>
#include <string>

#include "apps/inference/prediction.h"
#include "models/operating_point.h"

namespace preceptor {

struct SourceOptions {
  std::string data;               // for checkpoints: FORMAT:PATH
  std::string split = "test";     // of data and runs
  std::string labels;             // CSV: then tables hold probabilities alone
  std::string validation;         // CSV like the tables, of validation images
  bool wants_validation = false;  // checkpoints: predict the validation split too
  std::string device = "cpu";
  Precision precision = Precision::float32;
  int threads = 0, batch = evaluation_batch;
};

struct Source {
  std::string name;
  PredictionTable table;                      // of the split
  std::optional<PredictionTable> validation;  // to fit thresholds and scalings on
  std::optional<OperatingPoint> point;        // as the checkpoint has it
  std::optional<double> loss;                 // of the network's logits; else the probabilities tell it
};

// A run directory (its predictions.SPLIT.csv), a table (.csv) or a checkpoint (any other file; needs options.data).
// Errors: usage, missing_input, data, io.
Source open_source(const std::string& input, const SourceOptions& options);

}  // namespace preceptor
