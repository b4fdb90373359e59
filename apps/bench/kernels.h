// Times single kernel families on the shapes of ResNet-18 and divides by their cost().
#pragma once

#include <string>

namespace preceptor {

struct KernelBenchOptions {
  std::string device = "cpu";  // cuda, emulated
  std::string family;
  int size = 64, batch = 32, threads = 2, repeats = 15;
  bool json = false;
};

// Prints a row for every family and shape that the device has. Errors: usage, where no family has such a name.
void run_kernel_bench(const KernelBenchOptions& options);

}  // namespace preceptor
