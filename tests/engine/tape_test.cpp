// The tape: sums of contributions, memory that is shared between them, pauses, and what stays behind.
#include "engine/gradient_meter.h"
#include "engine/ops.h"
#include "tests/engine/support.h"

namespace preceptor {
namespace {

using test::batch_norm_of;
using test::bits;
using test::fill;
using test::grid_values;
using test::tensor_of;

const Shape shape{2, 16, 3, 3};
constexpr std::size_t count = 2 * 16 * 9;

class TapeTest : public testing::Test {
 protected:
  Tensor watched(unsigned seed) {
    Tensor tensor = tensor_of(*context, shape, grid_values(count, seed));
    context->tape().watch(tensor);
    return tensor;
  }
  // The total loss gets sum(weights * y); the tape is the only owner of the weights.
  void weigh(const Tensor& y, unsigned seed) {
    Tape& tape = context->tape();
    tape.record_loss([&tape, target = y.shape_only(), weights = tensor_of(*context, shape, weights_of(seed))](
                         const Tensor&) { tape.accumulate(target, weights); });
  }
  static std::vector<float> weights_of(unsigned seed) { return grid_values(count, 100 + seed); }
  // The values where x is positive, 0 elsewhere.
  static std::vector<float> where_positive(const Tensor& x, const std::vector<float>& values) {
    const std::vector<float> signs = x.to_host();
    std::vector<float> result(values);
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = signs[i] > 0 ? values[i] : 0.0f;
    return result;
  }
  static std::vector<float> sum(std::vector<float> a, const std::vector<float>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
    return a;
  }
  std::vector<float> gradient(const Tensor& tensor) {
    const Tensor result = context->tape().gradient(tensor);
    EXPECT_TRUE(result.defined());
    return result.defined() ? result.to_host() : std::vector<float>();
  }

  std::unique_ptr<Context> context = Context::on_cpu(1, 0);
};

TEST_F(TapeTest, FanOutAddsUp) {
  const Tensor x = watched(1);
  for (unsigned use = 0; use < 3; ++use) weigh(relu(x), use);
  context->tape().backward();
  EXPECT_EQ(gradient(x), where_positive(x, sum(sum(weights_of(0), weights_of(1)), weights_of(2))));
}

TEST_F(TapeTest, SumOfATensorWithItselfCountsTwice) {
  const Tensor x = watched(2);
  weigh(add(x, x), 0);
  context->tape().backward();
  EXPECT_EQ(gradient(x), sum(weights_of(0), weights_of(0)));
}

TEST_F(TapeTest, SharedContributionIsNotAddedTo) {
  const Tensor a = watched(3), b = watched(4);
  weigh(relu(a), 1);    // visited last: adds to what a shares with b
  weigh(relu(b), 2);    // before that, the same from the other side
  weigh(add(a, b), 0);  // visited first: one tensor becomes the derivative of both
  context->tape().backward();
  EXPECT_EQ(gradient(a), sum(weights_of(0), where_positive(a, weights_of(1))));
  EXPECT_EQ(gradient(b), sum(weights_of(0), where_positive(b, weights_of(2))));
}

TEST_F(TapeTest, SharedContributionIsNotMaskedInPlace) {
  const Tensor a = watched(5), b = watched(6), c = watched(7);
  weigh(add(add(relu(a), relu(b)), c), 0);
  context->tape().backward();
  EXPECT_EQ(gradient(a), where_positive(a, weights_of(0)));
  EXPECT_EQ(gradient(b), where_positive(b, weights_of(0)));
  EXPECT_EQ(gradient(c), weights_of(0));
}

TEST_F(TapeTest, ContributionThatSomebodyHoldsIsNotWrittenTo) {
  const Tensor x = watched(8), held = tensor_of(*context, shape, weights_of(0));
  Tape& tape = context->tape();
  for (int use = 0; use < 2; ++use)
    tape.record_loss([&tape, &held, target = x.shape_only()](const Tensor&) { tape.accumulate(target, held); });
  Tensor y = relu(x);
  tape.record_loss([&tape, &held, target = y.shape_only()](const Tensor&) { tape.accumulate(target, held); });
  tape.backward();
  EXPECT_EQ(held.to_host(), weights_of(0));
  EXPECT_EQ(gradient(x), sum(where_positive(x, weights_of(0)), sum(weights_of(0), weights_of(0))));
}

TEST_F(TapeTest, PauseRecordsNothing) {
  const Tensor x = watched(9);
  Tape& tape = context->tape();
  const std::size_t before = tape.size();
  {
    const Tape::Pause outer(tape);
    {
      const Tape::Pause inner(tape);
      EXPECT_EQ(relu(x).slot(), -1);
    }
    EXPECT_FALSE(tape.recording());
    const Tensor y = add(max_pool(x, 1, 1, 0), average_pool(x, 1, 1, 0));
    EXPECT_EQ(y.slot(), -1);
    EXPECT_FALSE(tape.requires_grad(x));
    attention_transfer(x, y);
  }
  EXPECT_TRUE(tape.recording());
  EXPECT_EQ(tape.size(), before);
  EXPECT_GE(relu(x).slot(), 0);
}

TEST_F(TapeTest, UnwatchedInputsAreNotRecorded) {
  const Tensor x = tensor_of(*context, shape, grid_values(count, 10));
  const Tensor y = relu(add(x, x));
  attention_transfer(y, x);
  EXPECT_EQ(y.slot(), -1);
  EXPECT_EQ(context->tape().size(), 0u);
}

TEST_F(TapeTest, RecordedLossesAddUp) {
  const std::vector<float> values = grid_values(12, 11, 3), labels{0, 2, 1, 1}, other = grid_values(12, 12, 3);
  const auto gradient_of = [&](bool first, bool second) {
    Tensor x = tensor_of(*context, {4, 3}, values);
    context->tape().watch(x);
    if (first) softmax_cross_entropy(x, tensor_of(*context, {4}, labels), 0.25f);
    if (second) softened_kl(x, tensor_of(*context, {4, 3}, other), 2, 3);
    context->tape().backward();
    std::vector<float> result = gradient(x);
    context->tape().clear();
    return result;
  };
  EXPECT_EQ(gradient_of(true, true), sum(gradient_of(false, true), gradient_of(true, false)));
}

// Ops that run in place if they are the only holder of the memory: sums of maps, ReLUs, batch norms, losses with
// a factor.
TEST_F(TapeTest, BackwardPassesOfPartsDisturbNothing) {
  Parameters parameters(*context);
  const BatchNormParameters norm = batch_norm_of(parameters, 16);
  const Parameter head = parameters.add("head", {3, 16}, ParameterKind::plain),
                  bias = parameters.add("bias", {3}, ParameterKind::plain);
  StateDict start = parameters.state();
  unsigned number = 30;
  for (auto& [name, tensor] : start) tensor.values = grid_values(tensor.values.size(), ++number);
  parameters.allocate_gradients();
  const Tensor factor = tensor_of(*context, {1}, {0.25f}), labels = tensor_of(*context, {2}, {0, 2});
  Tape& tape = context->tape();
  using Walks = std::vector<std::map<std::string, std::vector<std::uint32_t>>>;
  const auto gradients = [&] {
    std::map<std::string, std::vector<std::uint32_t>> all;
    for (const auto& [name, tensor] : parameters.gradients()) all[name] = bits(tensor.values);
    return all;
  };
  // The gradients after every backward pass, the last one over all losses that were recorded.
  const auto run = [&](bool first, bool second, bool scales, bool parts) {
    parameters.load(start);
    GradientMeter meter(parameters);
    meter.clear();
    const Tensor x = batch_norm(tensor_of(*context, shape, grid_values(count, 20)), norm, true, false);
    const Tensor y = relu(add(relu(x), x)), logits = linear(global_average_pool(y), head, bias);
    const std::size_t begin = tape.size();
    if (first) softmax_cross_entropy(logits, labels);
    const std::size_t middle = tape.size();
    {
      const Tape::Scaled scaled(tape, scales ? factor.data() : nullptr);
      if (second) pointwise_loss(PointwiseLossKind::square, y, Tensor(), 1.0f / 32);
      if (second) softmax_cross_entropy(logits, tensor_of(*context, {2}, {1, 1}));
    }
    Walks walks;
    for (int repeat = 0; repeat < 2 && parts; ++repeat)
      for (const auto& [from, to] : {std::pair{begin, middle}, {middle, tape.size()}}) {
        meter.clear();
        tape.backward_only(from, to);
        walks.push_back(gradients());
      }
    tape.backward();
    walks.push_back(gradients());
    tape.clear();
    return walks;
  };
  const Walks walks = run(true, true, true, true);
  const auto labels_alone = run(true, false, false, false)[0], others_alone = run(false, true, false, false)[0];
  EXPECT_NE(labels_alone, others_alone);
  for (const std::size_t repeat : {0u, 2u}) {
    EXPECT_EQ(walks[repeat], labels_alone);
    EXPECT_EQ(walks[repeat + 1], others_alone) << "as if no factor scaled them";
  }
  EXPECT_EQ(walks[4], run(true, true, true, false)[0]);
  EXPECT_NE(walks[4], run(true, true, false, false)[0]);
}

TEST_F(TapeTest, DerivativeOfAnUnrelatedInputIsUndefined) {
  const Tensor before = watched(13), x = watched(14), after = watched(15);
  const Tensor unused = relu(after);  // recorded, but no loss depends on it
  weigh(relu(x), 0);
  context->tape().backward();
  EXPECT_TRUE(context->tape().gradient(x).defined());
  EXPECT_FALSE(context->tape().gradient(before).defined());
  EXPECT_FALSE(context->tape().gradient(after).defined());
  EXPECT_FALSE(context->tape().gradient(tensor_of(*context, {1}, {1})).defined());
}

TEST_F(TapeTest, BackwardReleasesWhatTheStepTook) {
  {
    const Tensor x = watched(16);
    Tensor y = max_pool(relu(add(x, x)), 2, 1, 0);
    const Tensor pooled = global_average_pool(average_pool(y, 2, 1, 0));
    y = Tensor();
    softened_kl(pooled, tensor_of(*context, {2, 16}, grid_values(32, 17)), 1);
    EXPECT_GT(context->pool(Lifetime::step).live(), 5u);
    context->tape().backward();
    EXPECT_EQ(context->tape().size(), 1u);                // the watched input
    EXPECT_EQ(context->pool(Lifetime::step).live(), 3u);  // x, its derivative and the logits
    context->tape().clear();
  }
  EXPECT_EQ(context->pool(Lifetime::step).live(), 0u);
  EXPECT_EQ(context->pool(Lifetime::step).in_use(), 0u);
  EXPECT_EQ(context->tape().size(), 0u);
}

// The ReLU of a batch norm is undone from x, so the tape holds y only where a residual was added.
TEST_F(TapeTest, BatchNormKeepsItsOutputOnlyForAResidual) {
  Parameters parameters(*context);
  const BatchNormParameters p = batch_norm_of(parameters, 16);
  parameters.allocate_gradients();
  const Tensor x = watched(18), residual = watched(19);
  for (bool with_residual : {false, true}) {
    const std::size_t before = context->pool(Lifetime::step).live();
    batch_norm(x, p, true, true, with_residual ? residual : Tensor());
    // The statistics are kept.
    EXPECT_EQ(context->pool(Lifetime::step).live(), before + (with_residual ? 2u : 1u));
  }
}

// A batch norm adds its part to the gradient of others, in place if it is the only holder.
TEST_F(TapeTest, BatchNormAddsToWhatItsInputHasAlready) {
  Parameters parameters(*context);
  const BatchNormParameters p = batch_norm_of(parameters, 16);
  fill(parameters);
  parameters.allocate_gradients();
  const Tensor alone = watched(20), x = watched(20), other = watched(21);
  for (const Tensor& input : {alone, x}) weigh(batch_norm(input, p, true, true), 0);
  weigh(add(x, other), 1);  // visited first: one tensor becomes the derivative of both
  context->tape().backward();
  const std::vector<float> of_norm = gradient(alone), both = gradient(x), weights = weights_of(1);
  // Four roundings of terms that are as large as the largest gradient: the sum may be taken in another order.
  float largest = 0;
  for (float value : of_norm) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < both.size(); ++i)
    EXPECT_NEAR(both[i], of_norm[i] + weights[i], 0x1p-22f * (largest + std::abs(weights[i]))) << i;
  EXPECT_EQ(gradient(other), weights);
}

// The map between a batch norm and the convolution after it is recomputed for the gradient, with the same bits.
TEST_F(TapeTest, BatchNormConvolutionKeepsItsInputOnly) {
  Parameters parameters(*context);
  const BatchNormParameters p = batch_norm_of(parameters, 16);
  const Parameter weight = parameters.add("weight", {16, 16, 3, 3}, ParameterKind::convolution);
  fill(parameters);
  parameters.allocate_gradients();
  std::vector<std::vector<float>> results[2];
  std::size_t kept[2];
  for (bool at_once : {false, true}) {
    const Tensor x = watched(18);
    const std::size_t before = context->pool(Lifetime::step).live();
    {
      const Tensor y = at_once ? batch_norm_convolution(x, p, weight, {1, 1})
                               : convolution(batch_norm(x, p, true, true), weight, nullptr, {1, 1});
      kept[at_once] = context->pool(Lifetime::step).live() - before;
      results[at_once].push_back(y.to_host());
      weigh(y, 0);
    }
    context->tape().backward();
    results[at_once].push_back(context->tape().gradient(x).to_host());
    for (const auto& [name, gradient] : parameters.gradients()) results[at_once].push_back(gradient.values);
    context->tape().clear();
  }
  for (std::size_t i = 0; i < results[0].size(); ++i) EXPECT_EQ(bits(results[1][i]), bits(results[0][i])) << i;
  EXPECT_EQ(kept[1] + 1, kept[0]);
}

TEST_F(TapeTest, ClearForgetsAForwardPass) {
  {
    const Tensor x = watched(18);
    weigh(relu(x), 0);
    context->tape().clear();
    context->tape().backward();
    EXPECT_FALSE(context->tape().gradient(x).defined());
  }
  EXPECT_EQ(context->pool(Lifetime::step).live(), 0u);
}

}  // namespace
}  // namespace preceptor
