// Streams under steps, on every device: what a replayed step launches and waits for, branches, and steps that do not
// fit in memory.
#include <cstdlib>

#include "engine/ops.h"
#include "engine/staging.h"
#include "engine/train_step.h"
#include "kernels/elementwise/elementwise.h"
#include "tests/engine/support.h"
#include "tests/support/devices.h"

namespace preceptor {
namespace {

using test::all_devices;
using test::bits;
using test::expect_error;
using test::grid_values;
using test::name_of;

class StreamOn : public test::DeviceTest {};

// Products and sums of two inputs, the first made in a branch: with and without it the same arithmetic.
class Work {
 public:
  explicit Work(const kernels::Device& device, bool branch = true, bool replay = true)
      : context(device, 1),
        branch_(branch),
        step(
            context, [this] { body(); }, replay) {
    input_ = test::tensor_of(context, {4, 16}, grid_values(64, 3), Lifetime::persistent);
    result_ = context.zeros({4, 16}, Lifetime::persistent);
    context.stream().synchronize();
  }
  std::vector<float> result() const { return result_.to_host(); }

  Context context;
  bool fails = false;

 private:
  Tensor sum(const Tensor& a, const Tensor& b) {
    const Tensor to = context.empty({4, 16});
    context.run(kernels::Add<float>{a.map(), b.map(), to.map()});
    return to;
  }
  Tensor other() {
    const Tensor twice = sum(input_, input_);
    if (fails) fail(ErrorKind::data, "a branch that fails");
    return sum(sum(twice, twice), input_);
  }
  void body() {
    const Tensor five = branch_ ? context.in_branch([this] { return other(); }) : other();
    const Tensor here = sum(sum(result_, input_), result_);
    if (branch_) context.join_branch();
    const Tensor all = sum(here, five);
    context.run(kernels::Copy{result_.data(), all.data(), 64 * sizeof(float)});
  }

  bool branch_;
  Tensor input_, result_;

 public:
  TrainStep step;
};

TEST_P(StreamOn, AReplayedStepIsOneLaunchAndNothingElse) {
  Work work(device());
  for (int step = 0; step < 3; ++step) work.step();
  ASSERT_TRUE(work.step.replaying());
  const kernels::StreamCounts before = work.context.stream().counts();
  const std::int64_t on_device = kernels::device_allocations();
  const std::int64_t in_pools =
      work.context.pool(Lifetime::step).allocations() + work.context.pool(Lifetime::persistent).allocations();
  for (int step = 0; step < 5; ++step) work.step();
  const kernels::StreamCounts& after = work.context.stream().counts();
  EXPECT_EQ(after.graph_launches - before.graph_launches, 5);
  EXPECT_EQ(after.launches, before.launches);
  EXPECT_EQ(after.waits, before.waits);
  EXPECT_EQ(kernels::device_allocations(), on_device);
  EXPECT_EQ(work.context.pool(Lifetime::step).allocations() + work.context.pool(Lifetime::persistent).allocations(),
            in_pools);
}

TEST_P(StreamOn, CountsWhatIsLaunchedAndWaitedFor) {
  Context context(device(), 1);
  const kernels::StreamCounts before = context.stream().counts();
  const Tensor zeros = context.zeros({7}, Lifetime::persistent);  // 1 launch
  zeros.to_host();                                                // 1 copy, 1 wait
  const kernels::StreamCounts& after = context.stream().counts();
  EXPECT_EQ(after.launches - before.launches, 2);
  EXPECT_EQ(after.waits - before.waits, 1);
  EXPECT_EQ(after.graph_launches, 0);
}

TEST_P(StreamOn, BranchAndReplayGiveTheSameBits) {
  Work plain(device(), false, false), branched(device(), true, false), replayed(device());
  for (int step = 0; step < 6; ++step) {
    SCOPED_TRACE(step);
    plain.step(), branched.step(), replayed.step();
    ASSERT_EQ(bits(branched.result()), bits(plain.result()));
    ASSERT_EQ(bits(replayed.result()), bits(plain.result()));
  }
  EXPECT_NE(plain.result().at(1), 0);
}

TEST_P(StreamOn, WhatABranchMakesLiesApart) {
  Context context(device(), 1);
  const auto part = [&] { return context.zeros({1000}); };
  const float* in_branch = context.in_branch(part).data();  // given back at once, but not to the others
  const Tensor beside = context.empty({1000});
  EXPECT_NE(beside.data(), in_branch);
  EXPECT_EQ(context.live_in_step(), 1u);
  EXPECT_EQ(context.in_branch(part).data(), in_branch);
  const Tensor held = context.in_branch(part);
  EXPECT_EQ(context.live_in_step(), 2u);
  // It takes what it was measured to take.
  expect_error(ErrorKind::internal, {"pool branch", "4000 bytes asked for"}, [&] { context.in_branch(part); });
}

TEST_P(StreamOn, AFailureInABranchLeavesTheStreamAsItWas) {
  Work work(device()), undisturbed(device());
  for (int step = 0; step < 3; ++step) {
    work.fails = true;
    if (!work.step.replaying()) expect_error(ErrorKind::data, {"a branch that fails"}, [&] { work.step(); });
    EXPECT_FALSE(work.context.stream().capturing());
    work.fails = false;
    work.step(), undisturbed.step();
    ASSERT_EQ(bits(work.result()), bits(undisturbed.result()));
  }
}

TEST_P(StreamOn, MeasuringAStepRunsNothing) {
  Context context(device(), 1);
  const Tensor kept = context.zeros({16}, Lifetime::persistent);
  const kernels::StreamCounts before = context.stream().counts();
  const std::size_t bytes = context.measure_step([&] {
    const Tensor large = context.empty({1 << 20});
    context.run(kernels::Fill{large.data(), 1.0f, 1 << 20});
    context.run(kernels::Fill{kept.data(), 1.0f, 16});
  });
  EXPECT_GE(bytes, std::size_t{4} << 20);
  EXPECT_LT(bytes, (std::size_t{4} << 20) + 256);
  EXPECT_EQ(context.stream().counts().launches, before.launches);
  EXPECT_EQ(context.pool(Lifetime::step).allocations(), 0);
  EXPECT_EQ(kept.to_host(), std::vector<float>(16, 0.0f));
}

// 1000 floats for an image, three times at once.
void step_of(Context& context, int images) {
  const Tensor a = context.empty({images, 1000}), b = context.empty({images, 1000}), c = context.empty({images, 1000});
}

TEST_P(StreamOn, AStepThatDoesNotFitSaysHowManyImagesDo) {
  constexpr std::size_t memory = std::size_t{1} << 20;
  Context small(device(), 1, Precision::float32, memory);
  TrainStep step(
      small, [&] { step_of(small, 100); }, true, 100);
  // 1 MiB less what is persistent, over 12,000 bytes an image.
  expect_error(ErrorKind::internal,
               {"a step of 100 images takes 1.14 MiB", "1.00 MiB are free", "the largest batch that fits is about 87"},
               [&] { step(); });
  EXPECT_EQ(small.live_in_step(), 0u);
  for (int repeat = 0; repeat < 2; ++repeat) step_of(small, 87);
  expect_error(ErrorKind::internal, {"pool step"}, [&] { step_of(small, 88); });
}

TEST_P(StreamOn, EveryLaunchIsWaitedForWhereThatIsAskedFor) {
  ASSERT_EQ(setenv("SYNC_EVERY_LAUNCH", "1", 1), 0);
  Work synchronous(device());
  ASSERT_EQ(unsetenv("SYNC_EVERY_LAUNCH"), 0);
  Work usual(device());
  const auto waits_of_a_step = [](Work& work) {
    const std::int64_t before = work.context.stream().counts().waits;
    work.step();
    return work.context.stream().counts().waits - before;
  };
  for (int step = 0; step < 4; ++step) {
    EXPECT_EQ(waits_of_a_step(synchronous), 7);  // six sums and a copy, in replay too
    EXPECT_EQ(waits_of_a_step(usual), 0);
  }
  EXPECT_EQ(bits(synchronous.result()), bits(usual.result()));
}

// A step that takes what is staged and adds it to what it has.
class StagedSum {
 public:
  explicit StagedSum(const kernels::Device& device, bool replay = true)
      : context(device, 1),
        staging(context),
        step(
            context, [this] { body(); }, replay) {
    for (Tensor* tensor : {&first_, &sum_}) *tensor = context.zeros({3, 100}, Lifetime::persistent);
    second_ = context.zeros({7}, Lifetime::persistent);
    context.stream().synchronize();
  }
  // Rows that follow each other are added one by one.
  void operator()(float number) {
    const std::vector<float> row(100, number);
    for (int i = 0; i < 3; ++i) staging.add(first_.data() + 100 * i, row);
    std::vector<float> values(7, -number);
    staging.add(second_.data(), values);
    values.assign(7, 1e9f);  // what was added is already taken
    staging.send();
    step();
  }
  std::vector<float> sum() const { return sum_.to_host(); }
  std::vector<float> second() const { return second_.to_host(); }
  std::int64_t in_pools() {
    return context.pool(Lifetime::step).allocations() + context.pool(Lifetime::persistent).allocations();
  }

  Context context;
  Staging staging;
  TrainStep step;

 private:
  void body() {
    staging.take();
    context.run(kernels::Add<float>{sum_.map(), first_.map(), sum_.map()});
  }
  Tensor first_, second_, sum_;
};

TEST_P(StreamOn, AStagedStepIsOneCopyUpAndOneLaunch) {
  StagedSum step(device());
  for (int i = 1; i <= 3; ++i) step(static_cast<float>(i));
  ASSERT_TRUE(step.step.replaying());
  const kernels::StreamCounts before = step.context.stream().counts(), sent = step.staging.counts();
  const std::int64_t on_device = kernels::device_allocations(), in_pools = step.in_pools();
  for (int i = 4; i <= 9; ++i) step(static_cast<float>(i));
  const kernels::StreamCounts &after = step.context.stream().counts(), &sent_after = step.staging.counts();
  EXPECT_EQ(after.graph_launches - before.graph_launches, 6);
  EXPECT_EQ(after.launches, before.launches);
  EXPECT_EQ(after.waits, before.waits);
  EXPECT_EQ(sent_after.launches - sent.launches, device().kind == kernels::DeviceKind::cpu ? 0 : 6);
  EXPECT_EQ(sent_after.waits, sent.waits);
  EXPECT_EQ(kernels::device_allocations(), on_device);
  EXPECT_EQ(step.in_pools(), in_pools);
  EXPECT_EQ(step.sum(), std::vector<float>(300, 45.0f));  // 1 + ... + 9
  EXPECT_EQ(step.second(), std::vector<float>(7, -9.0f));
}

TEST_P(StreamOn, StagedStepsReplayTheirBits) {
  StagedSum eager(device(), false), replayed(device());
  for (int i = 1; i <= 6; ++i) {
    eager(1.1f * static_cast<float>(i)), replayed(1.1f * static_cast<float>(i));
    ASSERT_EQ(bits(replayed.sum()), bits(eager.sum())) << i;
  }
}

// Its slot grows, and a recorded launch finds the new one.
TEST_P(StreamOn, ABatchLargerThanAllBeforeIsTakenInReplayToo) {
  StagedSum step(device());
  const Tensor large = step.context.zeros({50, 100}, Lifetime::persistent);
  for (int i = 1; i <= 4; ++i) step(1);
  ASSERT_TRUE(step.step.replaying());
  const std::vector<float> values = grid_values(5000, 5);
  step.staging.add(large.data(), values);
  step(1);
  step(1);
  EXPECT_EQ(large.to_host(), values);
  EXPECT_EQ(step.sum(), std::vector<float>(300, 6.0f));
}

TEST_P(StreamOn, RefusesToSendNothing) {
  Context context(device(), 1);
  Staging staging(context);
  expect_error(ErrorKind::usage, {"staging: nothing was added"}, [&] { staging.send(); });
}

INSTANTIATE_ON_ALL_DEVICES(StreamOn);

}  // namespace
}  // namespace preceptor
