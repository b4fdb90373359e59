// Training options checked, completed, and written as the text of config.toml.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "apps/training/training.h"
#include "engine/optimizer.h"
#include "engine/schedule.h"
#include "models/transfer/method.h"

namespace preceptor {

// The file of "predictions:FILE" among the teachers.
std::optional<std::string> predictions_of_teacher(const TrainingOptions& options);
// The decay of "ema:decay=NUMBER" among the teachers; of "ema" alone that of the average that is kept, or 0.999.
// Errors: usage.
std::optional<double> decay_of_teacher(const TrainingOptions& options);

// Throws Error (usage), in the words of the command line, for options that are out of range or contradict each other.
// Looks at no file.
void check_options(const TrainingOptions& options);

// One member per flag, named like it, except --out; empty texts and lists are left out.
nlohmann::ordered_json options_json(const TrainingOptions& options);

// The same as TOML: valid for --config, and read back by --resume.
std::string config_text(const TrainingOptions& options);

// Keeps a reference to the network, whose blocks tell the parameters apart.
OptimizerOptions optimizer_options(const TrainingOptions& options, const Network& network);
ScheduleOptions schedule_options(const TrainingOptions& options);
std::vector<MethodSettings> transfer_methods(const TrainingOptions& options);

}  // namespace preceptor
