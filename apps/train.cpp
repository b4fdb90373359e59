// preceptor-train: trains one network, from scratch or from a checkpoint.
#include "apps/command_line/command_line.h"
#include "apps/training/training_main.h"

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_train); }
