// Learning rates of every schedule by values worked out by hand.
#include "engine/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace preceptor {
namespace {

ScheduleOptions options_of(ScheduleKind kind, double learning_rate) {
  ScheduleOptions options;
  options.kind = kind;
  options.learning_rate = learning_rate;
  return options;
}

TEST(Schedule, ConstantStays) {
  Schedule schedule(options_of(ScheduleKind::constant, 0.3));
  EXPECT_EQ(schedule.learning_rate(0, 0), 0.3);
  schedule.finish_epoch(5);
  schedule.finish_epoch(6);
  EXPECT_EQ(schedule.learning_rate(1000, 0.99), 0.3);
}

TEST(Schedule, WarmUpGrowsFromZero) {
  ScheduleOptions options = options_of(ScheduleKind::constant, 0.8);
  options.warmup = 4;
  const Schedule schedule(options);
  EXPECT_EQ(schedule.learning_rate(0, 0), 0);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0, 0.5), 0.1);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(1, 0), 0.2);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(3, 0.75), 0.75);
  EXPECT_EQ(schedule.learning_rate(4, 0), 0.8);
  EXPECT_EQ(schedule.learning_rate(9, 0.5), 0.8);
}

TEST(Schedule, StepsAtMilestones) {
  ScheduleOptions options = options_of(ScheduleKind::step, 1);
  options.milestones = {2, 5};
  options.factor = 0.1;
  const Schedule schedule(options);
  EXPECT_EQ(schedule.learning_rate(0, 0), 1);
  EXPECT_EQ(schedule.learning_rate(1, 0.999), 1);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(2, 0), 0.1);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(4, 0.999), 0.1);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(5, 0), 0.01);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(50, 0), 0.01);
}

TEST(Schedule, StepsWithinWarmUpMultiplyBoth) {
  ScheduleOptions options = options_of(ScheduleKind::step, 1);
  options.milestones = {1};
  options.factor = 0.5;
  options.warmup = 4;
  EXPECT_DOUBLE_EQ(Schedule(options).learning_rate(2, 0), 0.25);
}

TEST(Schedule, CosineFallsToZeroWithinEpochs) {
  ScheduleOptions options = options_of(ScheduleKind::cosine, 2);
  options.epochs = 6;
  const Schedule schedule(options);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(0, 0), 2);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(1, 0.5), 1 + std::sqrt(0.5));  // a quarter: 1 + cos(pi / 4)
  EXPECT_DOUBLE_EQ(schedule.learning_rate(2, 0), 1.5);                   // a third: 1 + cos(pi / 3)
  EXPECT_DOUBLE_EQ(schedule.learning_rate(3, 0), 1);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(4, 0), 0.5);
  EXPECT_NEAR(schedule.learning_rate(6, 0), 0, 1e-15);
  EXPECT_NEAR(schedule.learning_rate(9, 0), 0, 1e-15);
}

TEST(Schedule, CosineStartsBehindTheWarmUp) {
  ScheduleOptions options = options_of(ScheduleKind::cosine, 2);
  options.epochs = 8;
  options.warmup = 2;
  const Schedule schedule(options);
  EXPECT_EQ(schedule.learning_rate(0, 0), 0);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(1, 0), 1);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(2, 0), 2);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(4, 0), 1.5);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(5, 0), 1);
  EXPECT_NEAR(schedule.learning_rate(8, 0), 0, 1e-15);
}

TEST(Schedule, PlateauReducesAfterPatience) {
  ScheduleOptions options = options_of(ScheduleKind::plateau, 1);
  options.patience = 2;
  options.factor = 0.5;
  Schedule schedule(options);
  const auto after = [&](double loss) {
    schedule.finish_epoch(loss);
    return schedule.learning_rate(0, 0);
  };
  EXPECT_EQ(after(3), 1);
  EXPECT_EQ(after(2), 1);     // better
  EXPECT_EQ(after(2), 1);     // as good is not better: 1
  EXPECT_EQ(after(4), 1);     // 2
  EXPECT_EQ(after(2.5), .5);  // 3, more than the patience
  EXPECT_EQ(after(2.5), .5);  // counted from 0 again: 1
  EXPECT_EQ(after(1), .5);    // better
  EXPECT_EQ(after(1.5), .5);  // 1
  EXPECT_EQ(after(1.5), .5);  // 2
  EXPECT_EQ(after(1.5), .25);
}

TEST(Schedule, PlateauWithoutPatienceReducesAtOnce) {
  ScheduleOptions options = options_of(ScheduleKind::plateau, 1);
  options.patience = 0;
  Schedule schedule(options);
  schedule.finish_epoch(1);
  EXPECT_EQ(schedule.learning_rate(1, 0), 1);
  schedule.finish_epoch(1);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(2, 0), 0.1);
}

TEST(Schedule, OnlyPlateauListensToLosses) {
  for (ScheduleKind kind : {ScheduleKind::constant, ScheduleKind::step, ScheduleKind::cosine}) {
    ScheduleOptions options = options_of(kind, 1);
    options.patience = 0;
    options.epochs = 10;
    Schedule schedule(options);
    for (int epoch = 0; epoch < 5; ++epoch) schedule.finish_epoch(1);
    EXPECT_EQ(schedule.learning_rate(0, 0), 1);
    EXPECT_EQ(schedule.state().waited, -1);
  }
}

TEST(Schedule, RestoredStateContinues) {
  ScheduleOptions options = options_of(ScheduleKind::plateau, 1);
  options.patience = 1;
  const double losses[] = {5, 4, 4.5, 4.5, 3, 3, 3, 3, 3, 2, 2};
  for (int interruption = 0; interruption < 11; ++interruption) {
    Schedule before(options), after(options), uninterrupted(options);
    for (int epoch = 0; epoch < 11; ++epoch) {
      uninterrupted.finish_epoch(losses[epoch]);
      if (epoch == interruption) after.restore(before.state());
      (epoch < interruption ? before : after).finish_epoch(losses[epoch]);
      if (epoch < interruption) continue;
      EXPECT_EQ(after.learning_rate(epoch, 0), uninterrupted.learning_rate(epoch, 0)) << interruption << " " << epoch;
      EXPECT_EQ(after.state().best, uninterrupted.state().best);
      EXPECT_EQ(after.state().waited, uninterrupted.state().waited);
    }
    EXPECT_LT(uninterrupted.learning_rate(11, 0), 0.011);
  }
}

}  // namespace
}  // namespace preceptor
