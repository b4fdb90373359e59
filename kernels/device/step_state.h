// The numbers of a training step that kernels read from device memory.
#pragma once

#include <cstdint>

namespace preceptor::kernels {

// Values that change from step to step, in device memory so that a recorded step reads the current ones.
struct StepState {
  float learning_rate;
  std::int64_t step;   // steps done so far
  std::uint64_t seed;  // for augmentation and every other random number of the step
};

}  // namespace preceptor::kernels
