// One launch over a table of segments, as the optimizer's.
#include "engine/gradient_meter.h"

#include "kernels/elementwise/elementwise.h"
#include "kernels/optimizer/optimizer.h"

namespace preceptor {

using kernels::UpdateSegment;

GradientMeter::GradientMeter(Parameters& parameters)
    : context_(parameters.context()), unused_(context_.zeros({1}, Lifetime::persistent)) {
  std::vector<UpdateSegment> segments;
  for (const Parameter& parameter : parameters.all()) {
    if (!parameter.watched()) continue;
    watched_.push_back(parameter);
    UpdateSegment segment{};
    segment.gradient = parameter.gradient();
    segment.count = static_cast<std::int64_t>(parameter.shape().elements());
    segment.first_chunk = chunks_;
    segments.push_back(segment);
    elements_ += segment.count;
    chunks_ += kernels::update_chunks(segment.count);
  }
  require(!segments.empty(), "gradient meter: no parameter learns");
  const std::size_t bytes = segments.size() * sizeof(UpdateSegment);
  segments_ = std::make_shared<Buffer>(context_.pool(Lifetime::persistent), bytes);
  context_.run(kernels::Copy{segments_->data(), segments.data(), bytes});
  context_.stream().synchronize();
}

void GradientMeter::clear() {
  for (const Parameter& parameter : watched_)
    context_.run(kernels::Fill{parameter.gradient(), 0, static_cast<std::int64_t>(parameter.shape().elements())});
}

void GradientMeter::measure(float* norm) {
  context_.run_with_workspace(kernels::GradientNorm{.segments = static_cast<const UpdateSegment*>(segments_->data()),
                                                    .segment_count = static_cast<int>(watched_.size()),
                                                    .chunks = chunks_,
                                                    .elements = elements_,
                                                    .max_norm = 1,
                                                    .norm = norm,
                                                    .scale = unused_.data(),
                                                    .workspace = nullptr});
}

}  // namespace preceptor
