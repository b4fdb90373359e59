// The training loop.
#pragma once

#include <span>

#include "apps/training/setup.h"

namespace preceptor {

// Trains the epochs that are left of runs that learn together, each step of all at once; a run that learns alone is a
// list of one. All have started. Every epoch is validated and committed, for all runs or for none.
void train_together(std::span<Run> runs, TrainingSetup& setup);

// Tests the best epoch of a run that has trained: writes the predictions, the operating point and result.json.
TrainingResult test_run(Run& run, const Student& student, Context& context, const Dataset& data);

}  // namespace preceptor
