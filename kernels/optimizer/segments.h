// The rules by which parameters are updated, and the table of parameters that a launch goes through.
#pragma once

#include <cstdint>

#include "kernels/device/bfloat16.h"

namespace preceptor::kernels {

enum class UpdateRule { sgd, adam, adamw };

// Elements that a block of a GPU handles; a segment's last chunk may be shorter.
constexpr std::int64_t update_chunk = 8192;
constexpr std::int64_t update_chunks(std::int64_t count) { return (count + update_chunk - 1) / update_chunk; }

// One parameter tensor with its gradient and the optimizer's state, any of it in device memory.
struct UpdateSegment {
  float* value;              // [count]
  const float* gradient;     // [count]
  float* first;              // [count] momentum, or Adam's first moment; nullptr for SGD without momentum
  float* second;             // [count] Adam's second moment; nullptr for SGD
  bfloat16* rounded;         // [count] out: the new value in bfloat16, for computing with; nullptr: not wanted
  const float* origin;       // [count] what weight decay pulls towards (L2-SP, Li et al. 2018); nullptr: zero
  std::int64_t count;        // > 0
  std::int64_t first_chunk;  // the sum of update_chunks(count) over the segments before this one
  std::int64_t start;        // steps done when this parameter began to learn; its own first step is the next one
  float learning_rate_scale;
  float weight_decay;
};

}  // namespace preceptor::kernels
