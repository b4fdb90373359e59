// The programs that train: preceptor-train and preceptor-distill.
#pragma once

namespace preceptor {

int run_train(int argc, char** argv);
int run_distill(int argc, char** argv);

}  // namespace preceptor
