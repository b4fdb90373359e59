#include "engine/update_segments.h"

#include "kernels/optimizer/optimizer.h"

namespace preceptor {

kernels::GradientNorm UpdateSegments::gradient_norm(float max_norm, float* norm, float* scale) const {
  return {segments(), count(), end_chunk(table_.back()), elements(), max_norm, norm, scale};
}

kernels::Update UpdateSegments::update(const kernels::StepState* state) const {
  kernels::Update update{};
  update.segments = segments();
  update.segment_count = count();
  update.chunks = end_chunk(table_.back());
  update.elements = elements();
  update.rounded_elements = elements(&kernels::UpdateSegment::rounded);
  update.origin_elements = elements(&kernels::UpdateSegment::origin);
  update.state = state;
  update.rule = kernels::UpdateRule::sgd;
  return update;
}

}  // namespace preceptor
