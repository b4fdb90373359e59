// The norm of a model's gradient, which measures the influence of a loss term in one number.
#pragma once

#include "engine/update_segments.h"

namespace preceptor {

// The L2 norm over the gradients of all parameters that learn, for steps with several backward passes:
//   clear(); tape.backward_only(first, last); measure(norm);
// Covers the parameters that are trainable when it is made, and keeps them.
class GradientMeter {
 public:
  explicit GradientMeter(Parameters& parameters);

  // Sets all gradients to zero: the next backward pass may not reach all of them.
  void clear();

  // Writes the norm to norm[0], in device memory.
  void measure(float* norm);

 private:
  Context& context_;
  std::vector<Parameter> watched_;
  UpdateSegments segments_;
  Tensor unused_;  // [1] scale of the clipping, which is not used
};

}  // namespace preceptor
