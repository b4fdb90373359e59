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

TEST_P(StreamOn, StagedValuesArriveInOrderAndNothingIsAllocatedForThem) {
  Context context(device(), 1);
  Staging staging(context);
  const Tensor first = context.zeros({300}, Lifetime::persistent), second = context.zeros({7}, Lifetime::persistent);
  const auto send = [&](float number) {
    std::vector<float> values(300, number);
    staging.add(first.data(), values);
    values.assign(7, -number);  // what was added is already taken
    staging.add(second.data(), values);
    values.assign(7, 1e9f);
    staging.send();
  };
  for (int step = 1; step <= 2; ++step) send(static_cast<float>(step));
  const std::int64_t waits = context.stream().counts().waits, on_device = kernels::device_allocations();
  const std::int64_t in_pool = context.pool(Lifetime::persistent).allocations();
  for (int step = 3; step <= 9; ++step) send(static_cast<float>(step));
  EXPECT_EQ(context.stream().counts().waits, waits);
  EXPECT_EQ(kernels::device_allocations(), on_device);
  EXPECT_EQ(context.pool(Lifetime::persistent).allocations(), in_pool);
  EXPECT_EQ(first.to_host(), std::vector<float>(300, 9.0f));
  EXPECT_EQ(second.to_host(), std::vector<float>(7, -9.0f));
  // A batch larger than all before.
  std::vector<float> large(300, 5.0f);
  for (int repeat = 0; repeat < 10; ++repeat) staging.add(first.data(), large);
  staging.send();
  EXPECT_EQ(first.to_host(), large);
  EXPECT_EQ(second.to_host(), std::vector<float>(7, -9.0f));
}

INSTANTIATE_ON_ALL_DEVICES(StreamOn);

}  // namespace
}  // namespace preceptor
