// Warm-up, recording and replay of a step.
#include "engine/train_step.h"

#include "kernels/device/card.h"

namespace preceptor {
namespace {

constexpr int warmup_steps = 2;  // oneDNN plans and pages are made in the first; the second runs on what is there

void require_empty(Context& context, const char* when) {
  const std::size_t live = context.live_in_step();
  if (live != 0) fail(ErrorKind::internal, "train step: ", live, " tensors of a step are still held ", when);
}

}  // namespace

TrainStep::TrainStep(Context& context, std::function<void()> body, bool replay, int images)
    : context_(context), body_(std::move(body)), replay_(replay), images_(images) {}

void TrainStep::operator()() {
  const kernels::NamedRange range(context_.device(), "step");
  if (graph_) return replay();
  require_empty(context_, "before it");
  if (!replay_ || eager_steps_ < warmup_steps) return execute();
  record();
  replay();
}

void TrainStep::execute() {
  const kernels::Pool& pool = context_.pool(Lifetime::step);
  try {
    body_();
  } catch (const Error&) {
    if (!pool.refused() || images_ == 0) throw;
    context_.tape().clear();
    const std::size_t needed = context_.measure_step(body_);
    if (needed <= pool.available()) throw;
    fail(ErrorKind::internal, kernels::too_large_step(needed, pool.available(), images_));
  }
  ++eager_steps_;
  require_empty(context_, "after it");
}

void TrainStep::record() {
  context_.stream().begin_capture();
  try {
    body_();
  } catch (...) {
    context_.stream().abandon_capture();  // or every later launch would be recorded and not executed
    throw;
  }
  graph_ = context_.stream().end_capture();
  require_empty(context_, "after recording it");
}

void TrainStep::replay() {
  context_.expose_step();
  graph_->replay();
}

}  // namespace preceptor
