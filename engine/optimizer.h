// SGD with momentum, Adam and AdamW over all parameters of a model in one launch.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/update_segments.h"
#include "kernels/optimizer/segments.h"

namespace preceptor {

using kernels::UpdateRule;

// Settings that may differ between parameters.
struct UpdateGroup {
  float learning_rate_scale = 1.0f;
  float weight_decay = 0.0f;
  bool to_start = false;  // decays towards the value it starts from, not towards zero: L2-SP (Li et al. 2018)
};

struct OptimizerOptions {
  UpdateRule rule = UpdateRule::adam;
  float momentum = 0.9f;
  bool nesterov = false;
  float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;
  float weight_decay = 0.0f;
  float clip_value = 0.0f;  // 0: off
  float clip_norm = 0.0f;   // 0: off
  // By the parameter's name; empty: {1, weight_decay, false} for all.
  std::function<UpdateGroup(const std::string& name)> group = {};
};

// The learning rate is the context's step state, so it can change between replays of a recorded step.
class Optimizer {
 public:
  // Covers the parameters that are trainable now; allocates their gradients and its own state. Their names differ.
  Optimizer(const std::vector<Parameters*>& parts, const OptimizerOptions& options);
  Optimizer(Parameters& parameters, const OptimizerOptions& options) : Optimizer(std::vector{&parameters}, options) {}

  // Adds the parameters that have become trainable since; their first step is the next one. A step recorded before must
  // be recorded again.
  void cover_unfrozen();

  // One update from the gradients; then the step count goes up by one, unless several networks learn in one step: each
  // has its own optimizer then, and Context::advance_step() follows the last one.
  void step(bool advance = true);

  // In plain order, for checkpoints: the moments as "name/first" and "name/second", the values that weight decay pulls
  // to as "name/origin", and the steps before a parameter began to learn, if any, as "name/start".
  StateDict state() const;
  void load(const StateDict& state);

 private:
  struct State {
    Parameter parameter;
    UpdateGroup group;
    std::int64_t start;  // steps done before it learned
    Tensor first, second, origin;
  };
  void cover_watched(std::int64_t start);
  void cover(const Parameter& parameter, std::int64_t start);
  void write_segments();

  Context& context_;
  std::vector<Parameters*> parts_;
  OptimizerOptions options_;
  std::vector<State> states_;
  UpdateSegments segments_;
  Tensor norm_;  // [2]: norm, scale
};

}  // namespace preceptor
