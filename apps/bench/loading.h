// Times the reading, decoding and resizing of a data set's training images, as a training run's loader does it.
#pragma once

#include <string>

namespace preceptor {

struct LoadingBenchOptions {
  std::string data;
  int batch = 32, threads = 2;
  double seconds = 3;
  bool json = false;
};

// Whole epochs, the first of them not timed. Errors: those of open_dataset and the loader.
void run_loading_bench(const LoadingBenchOptions& options);

}  // namespace preceptor
