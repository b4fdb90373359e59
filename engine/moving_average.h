// The exponential moving average of a model's parameters and statistics over the steps of its training.
#pragma once

#include "engine/staging.h"
#include "engine/update_segments.h"

namespace preceptor {

// After step t (from 1): average = d average + (1 - d) value, d = min(decay, 1 - 1 / (t + 1)), so that the random start
// is soon forgotten (Tarvainen and Valpola 2017 and their code). Running means and variances are averaged alike: the
// averaged model can be used as it is. One launch: an update without a gradient whose weight decay pulls to the model.
class MovingAverage {
 public:
  // Both have the same names and shapes, and the same context, and outlive this. decay: 0 to below 1. Errors: usage.
  MovingAverage(Parameters& model, Parameters& average, double decay);

  // Stages the decay of the run's step number `step` (from 0).
  void stage(std::int64_t step, Staging& staging);
  // Part of a step, after the model's update.
  void update();

 private:
  Context& context_;
  double decay_;
  Tensor no_gradient_;  // zeros, as many as the largest parameter has values
  Buffer state_;        // StepState, whose learning rate is 1 - d
  UpdateSegments segments_;
};

}  // namespace preceptor
