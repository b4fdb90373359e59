// Updates of all parameters in one launch: SGD with momentum, Adam, AdamW; gradient norm and clipping.
#pragma once

#include "kernels/device/family.h"
#include "kernels/device/step_state.h"
#include "kernels/optimizer/segments.h"

namespace preceptor::kernels {

// torch.optim's formulas. Order: clip by norm, clip by value, weight decay, update.
struct Update {
  static constexpr const char* name = "update";
  const UpdateSegment* segments;  // [segment_count], device memory
  int segment_count;
  std::int64_t chunks;            // in all segments
  std::int64_t elements;          // in all segments, for cost()
  std::int64_t rounded_elements;  // elements with a rounded copy, for cost()
  std::int64_t origin_elements;   // elements with an origin, for cost()
  const StepState* state;         // this is step state->step + 1 - start of a segment
  const float* gradient_scale;    // [1] every gradient is multiplied by it (GradientNorm); nullptr: 1
  UpdateRule rule;
  float momentum;               // sgd
  bool nesterov;                // sgd
  float beta1, beta2, epsilon;  // adam, adamw
  float clip_value;             // gradients are clamped to +- this; 0: not clamped

  Cost cost() const {
    const bool sgd = rule == UpdateRule::sgd, state_read = momentum != 0;
    const int arrays = !sgd ? 7 : state_read ? 5 : 3, operations = !sgd ? 16 : state_read ? 8 : 4;
    return {count_of(elements, arrays) * sizeof(float) + count_of(rounded_elements) * sizeof(bfloat16) +
                count_of(origin_elements) * sizeof(float),
            count_of(elements, operations)};
  }
};
KERNEL_FAMILY(Update);

// norm = L2 norm over all gradients; scale = min(1, max_norm / (norm + 1e-6)), as torch's clip_grad_norm_.
struct GradientNorm {
  static constexpr const char* name = "gradient_norm";
  const UpdateSegment* segments;
  int segment_count;
  std::int64_t chunks;    // in all segments
  std::int64_t elements;  // in all segments, for cost()
  float max_norm;
  float* norm;                // [1]
  float* scale;               // [1]
  void* workspace = nullptr;  // workspace_bytes(arguments), 64-byte aligned

  Cost cost() const { return {count_of(elements) * sizeof(float), 2 * count_of(elements)}; }
};
KERNEL_FAMILY(GradientNorm);
std::size_t workspace_bytes(const GradientNorm& arguments, const Device& device);

// state->step += 1; the last launch of a step.
struct AdvanceStep {
  static constexpr const char* name = "advance_step";
  StepState* state;

  Cost cost() const { return {2 * sizeof(std::int64_t), 1}; }
};
KERNEL_FAMILY(AdvanceStep);

}  // namespace preceptor::kernels
