// Updates of all parameters in one launch: SGD with momentum, Adam, AdamW; gradient norm and clipping.
#pragma once

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"

namespace preceptor::kernels {

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

// What changes from step to step; lives in device memory so that a recorded step reads the current value.
struct StepState {
  float learning_rate;
  std::int64_t step;   // steps done so far
  std::uint64_t seed;  // of the augmentation and every other random number of the step
};

enum class UpdateRule { sgd, adam, adamw };

// torch.optim's formulas. Order: clip by norm, clip by value, weight decay, update.
struct Update {
  static constexpr const char* name = "update";
  const UpdateSegment* segments;  // [segment_count], device memory
  int segment_count;
  std::int64_t chunks;            // of all segments
  std::int64_t elements;          // of all segments, for cost()
  std::int64_t rounded_elements;  // of those with a rounded copy, for cost()
  std::int64_t origin_elements;   // of those with an origin, for cost()
  const StepState* state;         // this is step state->step + 1 - start of a segment
  const float* gradient_scale;    // [1] every gradient is multiplied by it (GradientNorm); nullptr: 1
  UpdateRule rule;
  float momentum;               // sgd
  bool nesterov;                // sgd
  float beta1, beta2, epsilon;  // adam, adamw
  float clip_value;             // gradients are clamped to +- this; 0: not clamped
};
Cost cost(const Update& arguments);
void run_on(Cpu, const Update& arguments);
void run_on(Cuda, const Update& arguments);
void run_on(Emulated, const Update& arguments);

// norm = L2 norm over all gradients; scale = min(1, max_norm / (norm + 1e-6)), as torch's clip_grad_norm_.
struct GradientNorm {
  static constexpr const char* name = "gradient_norm";
  const UpdateSegment* segments;
  int segment_count;
  std::int64_t chunks;    // of all segments
  std::int64_t elements;  // of all segments, for cost()
  float max_norm;
  float* norm;      // [1]
  float* scale;     // [1]
  void* workspace;  // workspace_bytes(arguments), 64-byte aligned
};
Cost cost(const GradientNorm& arguments);
std::size_t workspace_bytes(const GradientNorm& arguments, const Device& device);
void run_on(Cpu, const GradientNorm& arguments);
void run_on(Cuda, const GradientNorm& arguments);
void run_on(Emulated, const GradientNorm& arguments);

// state->step += 1; the last launch of a step.
struct AdvanceStep {
  static constexpr const char* name = "advance_step";
  StepState* state;
};
Cost cost(const AdvanceStep& arguments);
void run_on(Cpu, const AdvanceStep& arguments);
void run_on(Cuda, const AdvanceStep& arguments);
void run_on(Emulated, const AdvanceStep& arguments);

}  // namespace preceptor::kernels
