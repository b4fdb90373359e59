// Training steps: replay against eager, what a replay reads anew, and that nothing is allocated or made in it.
#include "engine/train_step.h"

#include "engine/ops.h"
#include "engine/optimizer.h"
#include "kernels/device/onednn.h"
#include "tests/engine/support.h"

namespace preceptor {
namespace {

using test::bits;
using test::expect_error;
using test::grid_values;

// A small network with everything a step has: augmentation, convolution, batch norm, residual sum, loss and Adam.
class Network {
 public:
  explicit Network(std::uint64_t seed, bool replay = true) : context(Context::on_cpu(1, seed)), replay_(replay) {
    stem_ = parameters.add("stem", {16, 3, 3, 3}, ParameterKind::convolution);
    inner_ = parameters.add("inner", {16, 16, 3, 3}, ParameterKind::convolution);
    for (int i = 0; i < 2; ++i) {
      const std::string name = message("norm", i, ".");
      norms_[i].gamma = parameters.add(name + "gamma", {16}, ParameterKind::plain);
      norms_[i].beta = parameters.add(name + "beta", {16}, ParameterKind::plain);
      norms_[i].running_mean = parameters.add(name + "running_mean", {16}, ParameterKind::buffer);
      norms_[i].running_variance = parameters.add(name + "running_variance", {16}, ParameterKind::buffer);
    }
    weight_ = parameters.add("weight", {5, 16}, ParameterKind::plain);
    bias_ = parameters.add("bias", {5}, ParameterKind::plain);
    StateDict state = parameters.state();
    unsigned number = 0;
    for (auto& [name, tensor] : state) tensor.values = grid_values(tensor.values.size(), ++number, 0.5f);
    parameters.load(state);
    OptimizerOptions options;
    options.clip_norm = 5;
    optimizer_.emplace(parameters, options);
    context->set_learning_rate(0.01f);
    labels_ = test::tensor_of(*context, {images}, {0, 1, 2, 3}, Lifetime::persistent);
    losses_ = context->zeros({images}, Lifetime::persistent);
    staged_ = std::make_shared<Buffer>(context->pool(Lifetime::persistent), pixels);
    stage(0);
    step_.emplace(
        *context, [this] { body(); }, replay_);
  }
  void stage(unsigned batch) {
    std::mt19937 generator(batch);
    for (std::size_t i = 0; i < pixels; ++i) static_cast<std::uint8_t*>(staged_->data())[i] = generator() & 255u;
  }
  std::vector<float> step() {
    (*step_)();
    return losses_.to_host();
  }
  bool replaying() const { return step_->replaying(); }
  kernels::Pool& pool(Lifetime lifetime) { return context->pool(lifetime); }

  std::unique_ptr<Context> context;
  Parameters parameters{*context};
  Tensor held;            // what a step leaves here is held across steps
  bool hold = false;      // whether it leaves something
  bool throwing = false;  // whether it fails in the middle

 private:
  static constexpr int images = 4;
  static constexpr std::size_t pixels = images * 8 * 8 * 3;

  void body() {
    const AugmentOptions options{{0.5f, 0.4f, 0.3f}, {0.25f, 0.25f, 0.5f}, true, true, 2};
    {
      const Tensor x = augment(*context, static_cast<const std::uint8_t*>(staged_->data()), {images, 3, 8, 8}, options);
      Tensor y = batch_norm(convolution(x, stem_, nullptr, {1, 1}), norms_[0], true, true);
      if (throwing) fail(ErrorKind::data, "a body that fails");
      y = batch_norm(convolution(y, inner_, nullptr, {1, 1}), norms_[1], true, true, y);
      if (hold) held = y;
      const Tensor loss = softmax_cross_entropy(linear(global_average_pool(y), weight_, bias_), labels_);
      context->run(kernels::Copy{losses_.data(), loss.data(), images * sizeof(float)});
    }
    context->tape().backward();
    optimizer_->step();
  }

  bool replay_;
  Parameter stem_, inner_, weight_, bias_;
  BatchNormParameters norms_[2];
  std::optional<Optimizer> optimizer_;
  Tensor labels_, losses_;
  std::shared_ptr<Buffer> staged_;
  std::optional<TrainStep> step_;
};

void expect_same_parameters(const Network& a, const Network& b) {
  const StateDict first = a.parameters.state(), second = b.parameters.state();
  for (const auto& [name, tensor] : first) ASSERT_EQ(bits(second.at(name).values), bits(tensor.values)) << name;
}

TEST(TrainStep, ReplayEqualsEagerBitForBit) {
  Network replayed(7), eager(7, false);
  for (unsigned step = 0; step < 10; ++step) {
    SCOPED_TRACE(step);
    replayed.stage(step);
    eager.stage(step);
    ASSERT_EQ(bits(replayed.step()), bits(eager.step()));
    expect_same_parameters(replayed, eager);
    EXPECT_EQ(replayed.replaying(), step >= 2);
    EXPECT_FALSE(eager.replaying());
    EXPECT_EQ(replayed.context->read_step_state().step, step + 1);
  }
}

TEST(TrainStep, LearnsInReplay) {
  Network network(7);
  const auto sum = [](const std::vector<float>& rows) { return rows[0] + rows[1] + rows[2] + rows[3]; };
  const float first = sum(network.step());
  float last = first;
  for (int step = 0; step < 60; ++step) last = sum(network.step());
  EXPECT_LT(last, 0.5f * first);
}

TEST(TrainStep, SameSeedGivesSameBitsAndAnotherDoesNot) {
  Network one(3), same(3), other(4);
  std::vector<float> losses, other_losses;
  for (int step = 0; step < 5; ++step) {
    losses = one.step();
    ASSERT_EQ(bits(losses), bits(same.step()));
    other_losses = other.step();
  }
  expect_same_parameters(one, same);
  EXPECT_NE(bits(losses), bits(other_losses));
}

TEST(TrainStep, ReplayReadsTheLearningRateAnew) {
  Network replayed(5), eager(5, false);
  for (int step = 0; step < 4; ++step) replayed.step(), eager.step();
  const auto weights = [](const Network& network) { return network.parameters.state().at("inner").values; };
  const std::vector<float> before = weights(replayed);
  for (Network* network : {&replayed, &eager}) {
    network->context->set_learning_rate(0);
    network->step();
  }
  EXPECT_EQ(weights(replayed), before);
  expect_same_parameters(replayed, eager);
  for (Network* network : {&replayed, &eager}) {
    network->context->set_learning_rate(0.5f);
    network->step();
  }
  EXPECT_NE(weights(replayed), before);
  expect_same_parameters(replayed, eager);
}

TEST(TrainStep, ReplayReadsImagesAndStepNumberAnew) {
  Network network(6);
  network.context->set_learning_rate(0);
  for (int step = 0; step < 3; ++step) network.step();
  const std::vector<float> one = network.step(), another = network.step();
  EXPECT_NE(one, another);  // the same images and weights, other flips and shifts
  const kernels::StepState state = network.context->read_step_state();
  network.context->write_step_state({0, state.step - 1, state.seed});
  EXPECT_EQ(network.step(), another);
  network.context->write_step_state({0, state.step - 1, state.seed});
  network.stage(1);
  EXPECT_NE(network.step(), another);
}

TEST(TrainStep, NothingIsAllocatedOrMadeOnceItReplays) {
  Network network(8);
  network.step();
  const std::int64_t persistent = network.pool(Lifetime::persistent).allocations();
  const std::size_t peak = network.pool(Lifetime::step).peak();
  network.step();
  const std::int64_t primitives = kernels::onednn::primitives_created();
  EXPECT_GT(primitives, 0);
  network.step();  // recorded
  const std::int64_t step = network.pool(Lifetime::step).allocations();
  for (int replay = 0; replay < 5; ++replay) network.step();
  EXPECT_EQ(network.pool(Lifetime::step).allocations(), step);
  EXPECT_EQ(network.pool(Lifetime::persistent).allocations(), persistent);
  EXPECT_EQ(network.pool(Lifetime::step).peak(), peak);
  EXPECT_EQ(network.pool(Lifetime::step).live(), 0u);
  EXPECT_EQ(kernels::onednn::primitives_created(), primitives);
}

TEST(TrainStep, EvaluationBetweenReplaysChangesNothing) {
  Network disturbed(9), calm(9);
  for (int step = 0; step < 6; ++step) {
    ASSERT_EQ(bits(disturbed.step()), bits(calm.step()));
    const Tensor x = test::tensor_of(*disturbed.context, {2, 16, 9, 9}, grid_values(2 * 16 * 81, 1));
    relu(max_pool(x, 3, 1, 1));
    disturbed.parameters.state();
  }
  expect_same_parameters(disturbed, calm);
}

TEST(TrainStep, TensorHeldAcrossStepsIsReported) {
  for (int eager_steps : {0, 1, 2}) {
    Network network(10);
    for (int step = 0; step < eager_steps; ++step) network.step();
    network.hold = true;
    expect_error(ErrorKind::internal, {"1 tensors", eager_steps < 2 ? "after it" : "after recording it"},
                 [&] { network.step(); });
  }
  Network network(10);
  network.step();
  network.held = network.context->empty({3});
  expect_error(ErrorKind::internal, {"1 tensors", "before it"}, [&] { network.step(); });
  network.held = Tensor();
  network.step();
}

TEST(TrainStep, FailureWhileRecordingLeavesTheStreamExecuting) {
  Network network(11), undisturbed(11);
  for (int step = 0; step < 2; ++step) network.step(), undisturbed.step();
  network.throwing = true;
  expect_error(ErrorKind::data, {"a body that fails"}, [&] { network.step(); });
  EXPECT_FALSE(network.context->stream().capturing());
  EXPECT_FALSE(network.replaying());
  network.context->tape().clear();
  network.throwing = false;
  for (int step = 0; step < 3; ++step) ASSERT_EQ(bits(network.step()), bits(undisturbed.step()));
  expect_same_parameters(network, undisturbed);
}

}  // namespace
}  // namespace preceptor
