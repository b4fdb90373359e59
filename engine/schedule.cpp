// Learning rates by epoch.
#include "engine/schedule.h"

#include <cmath>
#include <numbers>

namespace preceptor {

double Schedule::learning_rate(int epoch, double progress) const {
  const double position = epoch + progress;
  double rate = options_.learning_rate * state_.scale;
  switch (options_.kind) {
    case ScheduleKind::constant:
    case ScheduleKind::plateau:
      break;
    case ScheduleKind::step:
      for (int milestone : options_.milestones)
        if (epoch >= milestone) rate *= options_.factor;
      break;
    case ScheduleKind::cosine: {
      const double length = std::max(1, options_.epochs - options_.warmup);
      const double done = std::min(1.0, std::max(0.0, position - options_.warmup) / length);
      rate *= 0.5 * (1 + std::cos(std::numbers::pi * done));
      break;
    }
  }
  if (position < options_.warmup) rate *= position / options_.warmup;
  return rate;
}

void Schedule::finish_epoch(double validation_loss) {
  if (options_.kind != ScheduleKind::plateau) return;
  // A NaN is never better, also as the first loss.
  if (validation_loss < (state_.waited < 0 ? INFINITY : state_.best)) {
    state_.best = validation_loss;
    state_.waited = 0;
    return;
  }
  if (++state_.waited <= options_.patience) return;
  state_.scale *= options_.factor;
  state_.waited = 0;
}

}  // namespace preceptor
