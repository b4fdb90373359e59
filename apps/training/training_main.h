// What preceptor-train and preceptor-distill share beside their flags: the run with its progress on stderr.
#pragma once

#include "apps/training/options/training_flags.h"

namespace preceptor {

int run_training_app(TrainingApp app, int argc, char** argv);

}  // namespace preceptor
