// One launch over a table of segments, as the optimizer's.
#include "engine/gradient_meter.h"

#include "kernels/elementwise/elementwise.h"
#include "kernels/optimizer/optimizer.h"

namespace preceptor {

GradientMeter::GradientMeter(Parameters& parameters)
    : context_(parameters.context()), unused_(context_.zeros({1}, Lifetime::persistent)) {
  for (const Parameter& parameter : parameters.all()) {
    if (!parameter.requires_grad()) continue;
    watched_.push_back(parameter);
    segments_.add(parameter);
  }
  require(!watched_.empty(), "gradient meter: no parameter learns");
  segments_.upload(context_);
}

void GradientMeter::clear() {
  for (const Parameter& parameter : watched_)
    context_.run(kernels::Fill{parameter.gradient(), 0, static_cast<std::int64_t>(parameter.shape().elements())});
}

void GradientMeter::measure(float* norm) { context_.run(segments_.gradient_norm(1, norm, unused_.data())); }

}  // namespace preceptor
