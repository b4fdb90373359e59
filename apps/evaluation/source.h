// Sources of predictions to evaluate: checkpoints, tables and runs, and runs that differ in nothing but their seed as
// one arm.
#pragma once

#include <optional>

#include "apps/inference/prediction.h"
#include "apps/runs/run_record.h"
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
  PredictionTable table;                           // of the split
  std::optional<PredictionTable> validation = {};  // to fit thresholds and scalings on
  std::optional<OperatingPoint> point = {};        // as the checkpoint has it
  std::optional<double> loss = {};                 // of the network's logits; else the probabilities tell it
};

// A run directory (its predictions.SPLIT.csv), a table (.csv) or a checkpoint (any other file; needs options.data).
// Errors: usage, missing_input, data, io.
Source open_source(const std::string& input, const SourceOptions& options);

// A run, or a table of predictions, whose training is unknown: then the record is empty.
struct EvaluatedRun : RunRecord {
  Source source;     // named as it was given
  std::string name;  // last part of the run's directory
  // best.safetensors, read by open_run_and_checkpoint() alone.
  ModelCard card;
  std::string checkpoint_digest;     // SHA-256, as sha256sum prints it
  std::size_t checkpoint_bytes = 0;  // size of the file
  std::size_t parameters = 0;        // numbers in its tensors
};

// A run directory or a table (.csv). `split`: val or test. Errors: usage, missing_input, data, io.
EvaluatedRun open_run(const std::string& input, const std::string& split);
// A run directory with its test predictions and its checkpoint. Nothing in the files is trusted. Errors: missing_input,
// with what writes the missing file; data, io.
EvaluatedRun open_run_and_checkpoint(const std::string& directory);

struct Arm {
  std::string name;  // of its directories, without what tells seeds apart; for charts
  std::string note;  // a second line, for tables; may be empty
  std::vector<EvaluatedRun> runs;
};

// In the order given. A table is an arm of its own.
std::vector<Arm> arms_of(std::vector<EvaluatedRun> runs);

// The options of an arm: without those that tell its runs apart, which are the seed and the number of threads.
nlohmann::ordered_json config_of_arm(nlohmann::ordered_json config);

}  // namespace preceptor
