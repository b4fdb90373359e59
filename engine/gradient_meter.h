// The size of a model's gradient: what a loss term asks of the parameters, in one number.
#pragma once

#include <memory>

#include "engine/parameters.h"

namespace preceptor {

// The L2 norm over the gradients of all parameters that learn, for steps that walk the tape back by parts:
//   clear(); tape.backward_only(first, last); measure(norm);
// Covers the parameters that are trainable when it is made, and keeps them.
class GradientMeter {
 public:
  explicit GradientMeter(Parameters& parameters);

  // Sets all gradients to zero, for what the coming walk does not reach.
  void clear();

  // Writes the norm to norm[0], in device memory.
  void measure(float* norm);

 private:
  Context& context_;
  std::vector<Parameter> watched_;
  std::shared_ptr<Buffer> segments_;
  Tensor unused_;  // [1] the scale of a clipping that is not wanted
  std::int64_t elements_ = 0, chunks_ = 0;
};

}  // namespace preceptor
