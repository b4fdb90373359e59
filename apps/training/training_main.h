// The main function of preceptor-train and preceptor-distill: training with its progress on stderr.
#pragma once

#include "apps/training/options/training_flags.h"

namespace preceptor {

int run_training_app(TrainingApp app, int argc, char** argv);

}  // namespace preceptor
