// SGD with momentum, Adam and AdamW over all parameters of a model in one launch.
#pragma once

#include <string>
#include <vector>

#include "engine/parameters.h"
#include "kernels/optimizer/optimizer.h"

namespace preceptor {

struct OptimizerOptions {
  kernels::UpdateRule rule = kernels::UpdateRule::adam;
  float momentum = 0.9f;
  bool nesterov = false;
  float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;
  float weight_decay = 0.0f;
  float clip_value = 0.0f;  // 0: off
  float clip_norm = 0.0f;   // 0: off
};

// The learning rate is the context's step state, so it can change between replays of a recorded step.
class Optimizer {
 public:
  // Covers the parameters that are trainable now; allocates their gradients and its own state. Their names differ.
  Optimizer(const std::vector<Parameters*>& parts, const OptimizerOptions& options);
  Optimizer(Parameters& parameters, const OptimizerOptions& options) : Optimizer(std::vector{&parameters}, options) {}

  // One update from the gradients, then the step count goes up by one.
  void step();

  // Moments by "name/first" and "name/second" in plain order, for checkpoints.
  StateDict state() const;
  void load(const StateDict& state);

 private:
  struct State {
    Parameter parameter;
    Tensor first, second;
  };
  Context& context_;
  OptimizerOptions options_;
  std::vector<State> states_;
  std::shared_ptr<Buffer> segments_;
  Tensor norm_;  // [2]: norm, scale
  std::int64_t elements_ = 0, chunks_ = 0;
};

}  // namespace preceptor
