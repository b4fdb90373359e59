// The average as an update of SGD without a gradient.
#include "engine/moving_average.h"

#include <algorithm>

#include "kernels/optimizer/optimizer.h"

namespace preceptor {

MovingAverage::MovingAverage(Parameters& model, Parameters& average, double decay)
    : context_(model.context()),
      decay_(decay),
      segment_count_(static_cast<int>(model.all().size())),
      state_(context_.pool(Lifetime::persistent), sizeof(kernels::StepState)) {
  require(decay >= 0 && decay < 1, "moving average: a decay of ", decay, " is not from 0 to below 1");
  require(average.all().size() == model.all().size(), "moving average: of ", model.all().size(), " parameters in ",
          average.all().size());
  std::int64_t largest = 0;
  for (const Parameter& parameter : model.all())
    largest = std::max(largest, static_cast<std::int64_t>(parameter.shape().elements()));
  no_gradient_ = context_.zeros({static_cast<int>(largest)}, Lifetime::persistent);
  std::vector<kernels::UpdateSegment> segments;
  for (const Parameter& parameter : model.all()) {
    const Parameter own = average.find(parameter.name());
    require(own.shape() == parameter.shape(), "moving average: ", parameter.name(), " is of ", parameter.shape(),
            " and ", own.shape());
    const auto count = static_cast<std::int64_t>(parameter.shape().elements());
    segments.push_back({.value = own.value(),
                        .gradient = no_gradient_.data(),
                        .first = nullptr,
                        .second = nullptr,
                        .rounded = own.rounded(),
                        .origin = parameter.value(),
                        .count = count,
                        .first_chunk = chunks_,
                        .start = 0,
                        .learning_rate_scale = 1,
                        .weight_decay = 1});
    elements_ += count;
    if (own.rounded() != nullptr) rounded_elements_ += count;
    chunks_ += kernels::update_chunks(count);
  }
  const std::size_t bytes = segments.size() * sizeof segments[0];
  segments_ = std::make_shared<Buffer>(context_.pool(Lifetime::persistent), bytes);
  context_.copy_and_wait(segments_->data(), segments.data(), bytes);
}

void MovingAverage::stage(std::int64_t step, Staging& staging) {
  const double of_step = std::min(decay_, 1 - 1 / static_cast<double>(step + 2));
  const kernels::StepState state{.learning_rate = static_cast<float>(1 - of_step), .step = step, .seed = 0};
  staging.add(state_.data(), &state, sizeof state);
}

void MovingAverage::update() {
  context_.run(kernels::Update{.segments = static_cast<const kernels::UpdateSegment*>(segments_->data()),
                               .segment_count = segment_count_,
                               .chunks = chunks_,
                               .elements = elements_,
                               .rounded_elements = rounded_elements_,
                               .origin_elements = elements_,
                               .state = static_cast<const kernels::StepState*>(state_.data()),
                               .gradient_scale = nullptr,
                               .rule = kernels::UpdateRule::sgd,
                               .momentum = 0,
                               .nesterov = false,
                               .beta1 = 0,
                               .beta2 = 0,
                               .epsilon = 0,
                               .clip_value = 0});
}

}  // namespace preceptor
