// The command lines of preceptor-train and preceptor-distill.
#pragma once

#include <optional>

#include "apps/training/training.h"

namespace preceptor {

enum class TrainingApp { train, distill };

struct TrainingCommand {
  TrainingOptions options;
  bool resume = false;
  bool quiet = false;
};

// Nothing when only help was asked for. With --resume DIR the options are those of DIR/config.toml, and any other flag
// is an error. Errors: usage, missing_input.
std::optional<TrainingCommand> parse_training_command(TrainingApp app, int argc, char** argv);

}  // namespace preceptor
