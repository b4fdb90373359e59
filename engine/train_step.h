// A training step that is executed eagerly twice, then recorded once and replayed.
#pragma once

#include <functional>
#include <optional>

#include "engine/context.h"

namespace preceptor {

// `body` is the whole device part of a step, from staged inputs to the parameter update. It must make the same calls
// each time; what changes is read from device memory. After the two warm-up steps nothing is allocated.
class TrainStep {
 public:
  // replay = false executes every step eagerly: the same bits, for debugging. images: their number in a step; if known,
  // the error of a step that does not fit in memory says how many would.
  TrainStep(Context& context, std::function<void()> body, bool replay = true, int images = 0);

  void operator()();
  bool replaying() const { return graph_.has_value(); }

 private:
  void execute();
  void record();
  void replay();

  Context& context_;
  std::function<void()> body_;
  bool replay_;
  int images_;
  int eager_steps_ = 0;
  std::optional<kernels::Graph> graph_;
};

}  // namespace preceptor
