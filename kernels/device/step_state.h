// The numbers of a training step that kernels read from device memory.
#pragma once

#include <cstdint>

namespace preceptor::kernels {

// What changes from step to step; lives in device memory so that a recorded step reads the current value.
struct StepState {
  float learning_rate;
  std::int64_t step;   // steps done so far
  std::uint64_t seed;  // of the augmentation and every other random number of the step
};

}  // namespace preceptor::kernels
