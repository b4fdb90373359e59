// Training options checked, written as the text of config.toml, and as the engine takes them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "apps/training/options/training_options.h"

namespace preceptor {

// Checks each option and their combinations; looks at no file. Errors: usage, in the words of the command line.
void check_options(const TrainingOptions& options);

// The options under their names, except --out; empty texts and lists are left out.
nlohmann::ordered_json options_json(const TrainingOptions& options);
// The same as TOML: valid for --config, and read back by --resume.
std::string config_text(const TrainingOptions& options);

// Keeps a reference to the network, whose blocks tell the parameters apart.
OptimizerOptions optimizer_options(const TrainingOptions& options, const Network& network);
ScheduleOptions schedule_options(const TrainingOptions& options);

}  // namespace preceptor
