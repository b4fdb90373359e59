// preceptor-distill: trains a student network under a teacher network.
#include "apps/command_line/command_line.h"
#include "apps/training/training_main.h"

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_distill); }
