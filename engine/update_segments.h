// The table of parameters that one launch of kernels/optimizer goes through.
#pragma once

#include <memory>
#include <vector>

#include "engine/parameters.h"
#include "kernels/optimizer/segments.h"

namespace preceptor {

namespace kernels {
struct GradientNorm;
struct StepState;
struct Update;
}  // namespace kernels

class UpdateSegments {
 public:
  // An entry of this parameter, without any state of an optimizer.
  kernels::UpdateSegment& add(const Parameter& parameter) {
    const auto count = static_cast<std::int64_t>(parameter.shape().elements());
    const std::int64_t first_chunk = table_.empty() ? 0 : end_chunk(table_.back());
    table_.push_back({parameter.value(), parameter.gradient(), nullptr, nullptr, parameter.rounded(), nullptr, count,
                      first_chunk, 0, 1, 0});
    return table_.back();
  }
  // Copies the table to the device, for the launches to come.
  void upload(Context& context) {
    const std::size_t bytes = table_.size() * sizeof table_[0];
    on_device_ = std::make_shared<Buffer>(context.pool(Lifetime::persistent), bytes);
    context.copy_and_wait(on_device_->data(), table_.data(), bytes);
  }

  bool empty() const { return table_.empty(); }

  kernels::GradientNorm gradient_norm(float max_norm, float* norm, float* scale) const;
  // By SGD that does nothing but follow the gradient and weight decay.
  kernels::Update update(const kernels::StepState* state) const;

 private:
  static std::int64_t end_chunk(const kernels::UpdateSegment& segment) {
    return segment.first_chunk + kernels::update_chunks(segment.count);
  }
  const kernels::UpdateSegment* segments() const {
    return static_cast<const kernels::UpdateSegment*>(on_device_->data());
  }
  int count() const { return static_cast<int>(table_.size()); }
  // The values of all entries that have this pointer.
  template <class Pointer = float*>
  std::int64_t elements(Pointer kernels::UpdateSegment::*member = &kernels::UpdateSegment::value) const {
    std::int64_t sum = 0;
    for (const kernels::UpdateSegment& segment : table_) sum += segment.*member != nullptr ? segment.count : 0;
    return sum;
  }

  std::vector<kernels::UpdateSegment> table_;
  std::shared_ptr<Buffer> on_device_;
};

}  // namespace preceptor
