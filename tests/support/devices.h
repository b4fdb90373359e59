// Runs one launch on the cpu with a given number of threads, through the same switch that the engine uses.
#pragma once

#include "kernels/device/device.h"

namespace preceptor::test {

template <class Arguments>
void execute(const Arguments& arguments, int threads = 2) {
  kernels::Stream stream(kernels::cpu_device(threads));
  kernels::run(arguments, stream);
  stream.synchronize();
}

}  // namespace preceptor::test
