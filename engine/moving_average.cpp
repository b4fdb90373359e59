// The average as an update of SGD without a gradient.
#include "engine/moving_average.h"

#include <algorithm>

#include "kernels/optimizer/optimizer.h"

namespace preceptor {

MovingAverage::MovingAverage(Parameters& model, Parameters& average, double decay)
    : context_(model.context()),
      decay_(decay),
      state_(context_.pool(Lifetime::persistent), sizeof(kernels::StepState)) {
  require(decay >= 0 && decay < 1, "moving average: a decay of ", decay, " is not from 0 to below 1");
  require(average.all().size() == model.all().size(), "moving average: of ", model.all().size(), " parameters in ",
          average.all().size());
  std::int64_t largest = 0;
  for (const Parameter& parameter : model.all())
    largest = std::max(largest, static_cast<std::int64_t>(parameter.shape().elements()));
  no_gradient_ = context_.zeros({static_cast<int>(largest)}, Lifetime::persistent);
  for (const Parameter& parameter : model.all()) {
    const Parameter own = average.find(parameter.name());
    require(own.shape() == parameter.shape(), "moving average: ", parameter.name(), " is of ", parameter.shape(),
            " and ", own.shape());
    kernels::UpdateSegment& segment = segments_.add(own);
    segment.gradient = no_gradient_.data();
    segment.origin = parameter.value();
    segment.weight_decay = 1;
  }
  segments_.upload(context_);
}

void MovingAverage::stage(std::int64_t step, Staging& staging) {
  const double of_step = std::min(decay_, 1 - 1 / static_cast<double>(step + 2));
  const kernels::StepState state{.learning_rate = static_cast<float>(1 - of_step), .step = step, .seed = 0};
  staging.add(state_.data(), &state, sizeof state);
}

void MovingAverage::update() { context_.run(segments_.update(static_cast<const kernels::StepState*>(state_.data()))); }

}  // namespace preceptor
