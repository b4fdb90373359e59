// Learning-rate schedules, by epoch.
#pragma once

#include <string>
#include <vector>

namespace preceptor {

enum class ScheduleKind { constant, step, cosine, plateau };

struct ScheduleOptions {
  ScheduleKind kind = ScheduleKind::constant;
  double learning_rate = 1e-3;  // before the schedule's factor
  int epochs = 1;               // length of the run, for cosine
  int warmup = 0;               // epochs of linear growth from 0 at the start
  std::vector<int> milestones;  // step: epochs at whose start the rate is multiplied by factor
  double factor = 0.1;          // step and plateau
  int patience = 10;            // plateau: epochs without a better validation loss before a reduction
};

// Plain arithmetic on the host; its state is what plateau needs to remember.
class Schedule {
 public:
  explicit Schedule(const ScheduleOptions& options) : options_(options) {}

  // Rate at a position of the run; `progress` in [0, 1) is the part of the epoch already done (used by warm-up and
  // cosine, which move within an epoch).
  double learning_rate(int epoch, double progress) const;

  // Reports the validation loss of a finished epoch. Only plateau listens.
  void finish_epoch(double validation_loss);

  struct State {
    double best = 0;
    int waited = -1;  // -1: no loss seen yet
    double scale = 1;
  };
  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  ScheduleOptions options_;
  State state_;
};

}  // namespace preceptor
