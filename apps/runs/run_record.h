// A finished run as its directory tells it, and runs that differ in nothing but their seed as one arm.
#pragma once

#include <string>
#include <vector>

#include "apps/evaluation/arms.h"
#include "data/predictions/predictions.h"
#include "models/loaded_model.h"

namespace preceptor {

struct RunRecord : RunOutcome {
  std::string path, name;            // the directory and its last part
  ModelCard card;                    // of best.safetensors
  std::string checkpoint_digest;     // SHA-256 of best.safetensors, as sha256sum prints it
  std::size_t checkpoint_bytes = 0;  // its size
  std::size_t parameters = 0;        // numbers in its tensors
  PredictionTable validation, test;  // of the best epoch
};

// Reads what read_outcome() does, predictions and the best checkpoint's metadata. Nothing of them is trusted. Errors:
// missing_input, with what writes the missing file; data, io.
RunRecord read_run(const std::string& directory);

struct RunArm {
  std::string name;  // of its directories, without what tells seeds apart; for charts
  std::string note;  // a second line, for tables; may be empty
  std::vector<RunRecord> runs;
};
// by_arm(), with names.
std::vector<RunArm> arms_of(std::vector<RunRecord> runs);

// SHA-256 in hexadecimal digits.
std::string sha256(const std::string& bytes);

}  // namespace preceptor
