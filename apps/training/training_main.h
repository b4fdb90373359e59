// The main function of preceptor-train and preceptor-distill.
#pragma once

namespace preceptor {

enum class TrainingApp { train, distill };

int run_training_app(TrainingApp app, int argc, char** argv);

}  // namespace preceptor
