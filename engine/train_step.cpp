// Warm-up, recording and replay of a step.
#include "engine/train_step.h"

namespace preceptor {
namespace {

constexpr int warmup_steps = 2;  // oneDNN plans and pages are made in the first; the second runs on what is there

void require_empty(Context& context, const char* when) {
  const std::size_t live = context.pool(Lifetime::step).live();
  if (live != 0) fail(ErrorKind::internal, "train step: ", live, " tensors of a step are still held ", when);
}

}  // namespace

TrainStep::TrainStep(Context& context, std::function<void()> body, bool replay)
    : context_(context), body_(std::move(body)), replay_(replay) {}

void TrainStep::operator()() {
  if (graph_) return replay();
  require_empty(context_, "before it");
  if (!replay_ || eager_steps_ < warmup_steps) {
    body_();
    ++eager_steps_;
    return require_empty(context_, "after it");
  }
  context_.stream().begin_capture();
  try {
    body_();
  } catch (...) {
    context_.stream().end_capture();  // or every later launch would be recorded and not executed
    throw;
  }
  graph_ = context_.stream().end_capture();
  require_empty(context_, "after recording it");
  replay();
}

void TrainStep::replay() {
  context_.pool(Lifetime::step).expose();
  graph_->replay();
}

}  // namespace preceptor
