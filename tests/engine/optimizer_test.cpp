// The optimizers against torch's golden values, clipping, and what their state and the step state do.
#include "engine/optimizer.h"

#include <limits>

#include "engine/files/checkpoint.h"
#include "engine/gradient_meter.h"
#include "tests/engine/support.h"

namespace preceptor {
namespace {

using kernels::UpdateRule;
using test::bits;
using test::expect_error;
using test::grid_values;
using Values = std::vector<float>;

constexpr double epsilon = static_cast<double>(std::numeric_limits<float>::epsilon());

// A model of one vector, in two parameters, and one convolution whose values the device holds in another order.
struct Model {
  explicit Model(float learning_rate = 0.1f) {
    parameters.add("head", {24}, ParameterKind::plain);
    parameters.add("tail", {5, 8}, ParameterKind::plain);
    parameters.add("convolution", {16, 8, 1, 3}, ParameterKind::convolution);
    parameters.add("statistic", {4}, ParameterKind::buffer);
    context->set_learning_rate(learning_rate);
  }
  // Sets the gradients of head and tail from one vector of 64, and those of the convolution likewise.
  void set_gradients(const Values& vector) const {
    copy_to(parameters.find("head").gradient(), vector.data(), 24);
    copy_to(parameters.find("tail").gradient(), vector.data() + 24, 40);
    const Parameter convolution = parameters.find("convolution");
    Values ordered(convolution.shape().elements());
    for (std::size_t i = 0; i < ordered.size(); ++i) ordered[i] = vector[i % vector.size()];
    if (convolution.trainable()) copy_to(convolution.gradient(), ordered.data(), ordered.size());
  }
  void set_values(const Values& vector) {
    StateDict state = parameters.state();
    state.at("head").values.assign(vector.begin(), vector.begin() + 24);
    state.at("tail").values.assign(vector.begin() + 24, vector.end());
    parameters.load(state);
  }
  Values values() const {
    const StateDict state = parameters.state();
    Values all = state.at("head").values;
    all.insert(all.end(), state.at("tail").values.begin(), state.at("tail").values.end());
    return all;
  }
  void copy_to(float* to, const float* from, std::size_t count) const {
    context->run(kernels::Copy{to, from, count * sizeof(float)});
  }

  std::unique_ptr<Context> context = Context::on_cpu(1, 0);
  Parameters parameters{*context};
};

OptimizerOptions plain_sgd() {
  OptimizerOptions options;
  options.rule = UpdateRule::sgd;
  options.momentum = 0;
  return options;
}

TEST(Optimizer, FollowsTorchForFiveSteps) {
  const Checkpoint golden =
      load_safetensors(std::string(PRECEPTOR_SOURCE_DIR) + "/tests/golden/optimizers.safetensors");
  struct Case {
    const char* name;
    float learning_rate;
    OptimizerOptions options;
  };
  const auto sgd = [](float momentum, bool nesterov, float decay) {
    OptimizerOptions options = plain_sgd();
    options.momentum = momentum;
    options.nesterov = nesterov;
    options.weight_decay = decay;
    return options;
  };
  const auto adam = [](UpdateRule rule, float decay) {
    OptimizerOptions options;
    options.rule = rule;
    options.weight_decay = decay;
    return options;
  };
  double worst = 0;
  for (const Case& c :
       {Case{"sgd", 0.1f, sgd(0, false, 0)}, Case{"sgd_momentum", 0.1f, sgd(0.9f, false, 1e-4f)},
        Case{"sgd_nesterov", 0.1f, sgd(0.9f, true, 1e-4f)}, Case{"adam", 0.01f, adam(UpdateRule::adam, 0)},
        Case{"adam_decay", 0.01f, adam(UpdateRule::adam, 1e-2f)},
        Case{"adamw", 0.01f, adam(UpdateRule::adamw, 1e-2f)}}) {
    SCOPED_TRACE(c.name);
    Model model(c.learning_rate);
    Optimizer optimizer(model.parameters, c.options);
    model.set_values(golden.tensors.at("p0").values);
    Values before = golden.tensors.at("p0").values;
    std::vector<double> path(before.size());
    for (int step = 1; step <= 5; ++step) {
      model.set_gradients(golden.tensors.at(message("g", step - 1)).values);
      optimizer.step();
      const Values expected = golden.tensors.at(message(c.name, "/p", step)).values, got = model.values();
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const double target = static_cast<double>(expected[i]);
        path[i] += std::abs(target - static_cast<double>(before[i]));
        // Each step rounds the value once, and its change, whose formula has up to twelve operations.
        const double allowed = epsilon * (step * std::abs(target) + 12 * path[i]);
        const double error = std::abs(static_cast<double>(got[i]) - target);
        EXPECT_LE(error, allowed) << "step " << step << ", element " << i;
        worst = std::max(worst, error / allowed);
      }
      before = expected;
    }
  }
  std::printf("optimizers: largest error is %.2g of what is allowed\n", worst);
}

// Networks that learn in one step share its number, by which Adam corrects its moments: the last optimizer moves it on.
TEST(Optimizer, UpdateLeavesTheStepCountToTheLast) {
  Model alone, first;
  Parameters last{*first.context};
  last.add("head", {24}, ParameterKind::plain);
  Optimizer of_alone(alone.parameters, {}), of_first(first.parameters, {}), of_last(last, {});
  for (int step = 0; step < 3; ++step) {
    const Values gradient = grid_values(64, step);
    alone.set_gradients(gradient);
    first.set_gradients(gradient);
    first.copy_to(last.find("head").gradient(), gradient.data(), 24);
    of_alone.step();
    of_first.step();
    EXPECT_EQ(first.context->read_step_state().step, step);
    of_last.step();
    EXPECT_EQ(first.context->read_step_state().step, step + 1);
    EXPECT_EQ(first.values(), alone.values()) << "step " << step;
    EXPECT_EQ(last.state().at("head").values, alone.parameters.state().at("head").values) << "step " << step;
  }
}

TEST(Optimizer, ClipsByValue) {
  Model model(1);
  OptimizerOptions options = plain_sgd();
  options.clip_value = 0.25f;
  Optimizer optimizer(model.parameters, options);
  const Values gradient = grid_values(64, 1);
  model.set_gradients(gradient);
  optimizer.step();
  const Values got = model.values();
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], -std::clamp(gradient[i], -0.25f, 0.25f));
}

TEST(Optimizer, ClipsByTheNormOfAllGradients) {
  const Values gradient = grid_values(64, 2);
  for (float limit : {0.5f, 1000.0f}) {
    Model model(1);
    OptimizerOptions options = plain_sgd();
    options.clip_norm = limit;
    Optimizer optimizer(model.parameters, options);
    model.set_gradients(gradient);
    double square = 0;
    std::size_t count = 0;
    for (const auto& [name, tensor] : model.parameters.gradients())
      for (float value : tensor.values) square += static_cast<double>(value) * static_cast<double>(value), ++count;
    optimizer.step();
    const double scale = std::min(1.0, static_cast<double>(limit) / (std::sqrt(square) + 1e-6));
    const Values got = model.values();
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double expected = -scale * static_cast<double>(gradient[i]);
      EXPECT_LE(std::abs(static_cast<double>(got[i]) - expected),
                epsilon * (8 + std::sqrt(static_cast<double>(count))) * std::abs(expected));
      if (limit == 1000.0f) {
        EXPECT_EQ(got[i], -gradient[i]);
      }
    }
  }
}

TEST(Optimizer, ClipsByNormBeforeValue) {
  Model model(1);
  OptimizerOptions options = plain_sgd();
  options.clip_norm = 1;
  options.clip_value = 0.01f;
  Optimizer optimizer(model.parameters, options);
  Values gradient(64, 0.0f);
  gradient[0] = 100;
  gradient[1] = 0.02f;  // below the value limit only once the norm is clipped
  model.set_gradients(gradient);
  model.copy_to(model.parameters.find("convolution").gradient(), Values(16 * 8 * 3).data(), 16 * 8 * 3);
  optimizer.step();
  EXPECT_EQ(model.values()[0], -0.01f);
  EXPECT_NEAR(model.values()[1], -0.0002, 1e-9);
}

TEST(Optimizer, StateRoundTripContinuesBitForBit) {
  for (UpdateRule rule : {UpdateRule::sgd, UpdateRule::adam, UpdateRule::adamw}) {
    OptimizerOptions options;
    options.rule = rule;
    options.weight_decay = 0.01f;
    Model whole, second;
    Optimizer uninterrupted(whole.parameters, options), resumed(second.parameters, options);
    for (unsigned step = 0; step < 6; ++step) {
      if (step == 3) {
        second.parameters.load(whole.parameters.state());
        resumed.load(uninterrupted.state());
        second.context->write_step_state(whole.context->read_step_state());
      }
      whole.set_gradients(grid_values(64, step));
      uninterrupted.step();
      if (step < 3) continue;
      second.set_gradients(grid_values(64, step));
      resumed.step();
      for (const auto& [name, tensor] : whole.parameters.state())
        EXPECT_EQ(bits(second.parameters.state().at(name).values), bits(tensor.values)) << name;
    }
    for (const auto& [name, tensor] : uninterrupted.state()) {
      EXPECT_EQ(bits(resumed.state().at(name).values), bits(tensor.values)) << name;
      EXPECT_EQ(tensor.shape, whole.parameters.find(name.substr(0, name.find('/'))).shape());
    }
    EXPECT_EQ(uninterrupted.state().size(), rule == UpdateRule::sgd ? 3u : 6u);
  }
}

TEST(Optimizer, MomentsAreInPlainOrder) {
  Model model;
  OptimizerOptions options = plain_sgd();
  options.momentum = 0.5f;
  Optimizer optimizer(model.parameters, options);
  model.set_gradients(grid_values(64, 3));
  optimizer.step();
  // After the first step the momentum is the gradient.
  EXPECT_EQ(optimizer.state().at("convolution/first").values, model.parameters.gradients().at("convolution").values);
}

TEST(Optimizer, IncompleteStateIsNamed) {
  Model model;
  Optimizer optimizer(model.parameters, {});
  StateDict state = optimizer.state();
  state.erase("tail/second");
  expect_error(ErrorKind::data, {"tail/second", "[5, 8]"}, [&] { optimizer.load(state); });
  state = optimizer.state();
  state.at("head/first") = {{3}, {1, 2, 3}};
  expect_error(ErrorKind::data, {"head/first", "[24]"}, [&] { optimizer.load(state); });
}

TEST(Optimizer, ReadsTheLearningRateFromTheStepState) {
  Model model;
  Optimizer optimizer(model.parameters, plain_sgd());
  const Values gradient = grid_values(64, 4);
  model.set_gradients(gradient);
  Values expected(64, 0.0f);
  for (float rate : {0.5f, 0.125f, 0.0f, 2.0f}) {
    model.context->set_learning_rate(rate);
    optimizer.step();
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] -= rate * gradient[i];
    EXPECT_EQ(model.values(), expected);  // exact: multiples of 2^-13
  }
}

TEST(Optimizer, CountsStepsAndKeepsSeedAndRate) {
  Model model;
  model.context->write_step_state({0.25f, 40, 99});
  Optimizer optimizer(model.parameters, {});
  for (int step = 0; step < 3; ++step) optimizer.step();
  const kernels::StepState state = model.context->read_step_state();
  EXPECT_EQ(state.step, 43);
  EXPECT_EQ(state.seed, 99u);
  EXPECT_EQ(state.learning_rate, 0.25f);
}

TEST(Optimizer, FrozenParametersAndStatisticsStay) {
  Model model;
  model.parameters.freeze("convolution");
  OptimizerOptions options;
  options.rule = UpdateRule::adamw;
  options.weight_decay = 0.5f;
  Optimizer optimizer(model.parameters, options);
  StateDict before = model.parameters.state();
  for (float& value : before.at("convolution").values) value = 3;
  for (float& value : before.at("statistic").values) value = 5;
  model.parameters.load(before);
  model.set_gradients(grid_values(64, 5));
  optimizer.step();
  const StateDict after = model.parameters.state();
  EXPECT_EQ(after.at("convolution").values, before.at("convolution").values);
  EXPECT_EQ(after.at("statistic").values, before.at("statistic").values);
  EXPECT_NE(after.at("head").values, before.at("head").values);
  EXPECT_FALSE(optimizer.state().contains("convolution/first"));
}

TEST(Optimizer, GroupsHaveTheirOwnRateAndDecay) {
  Model model(0.5f);
  const Values start = grid_values(64, 6), gradient = grid_values(64, 7);
  model.set_values(start);
  OptimizerOptions options = plain_sgd();
  options.group = [](const std::string& name) {
    return name == "head" ? UpdateGroup{.learning_rate_scale = 1, .weight_decay = 0.25f}
                          : UpdateGroup{.learning_rate_scale = 0.5f, .weight_decay = 0.5f, .to_start = true};
  };
  Optimizer optimizer(model.parameters, options);
  Values expected = start;
  for (int step = 0; step < 3; ++step) {
    model.set_gradients(gradient);
    optimizer.step();
    for (std::size_t i = 0; i < expected.size(); ++i)
      expected[i] -=
          i < 24 ? 0.5f * (gradient[i] + 0.25f * expected[i]) : 0.25f * (gradient[i] + 0.5f * (expected[i] - start[i]));
  }
  const Values got = model.values();
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 16 * epsilon) << i;
}

// Parameters that unfreeze learn as if their first step were the first of all; the others go on unchanged.
TEST(Optimizer, UnfrozenParametersBeginTheirOwnCount) {
  OptimizerOptions options;
  options.weight_decay = 0.1f;
  options.group = [](const std::string& name) { return UpdateGroup{.weight_decay = 0.1f, .to_start = name == "tail"}; };
  const Values gradient = grid_values(64, 8);
  const auto step = [&](Model& model, Optimizer& optimizer) {
    model.set_gradients(gradient);
    optimizer.step();
  };
  Model whole, fresh, late;
  Optimizer all(whole.parameters, options), alone(fresh.parameters, options);
  late.parameters.freeze("convolution");
  Optimizer unfreezing(late.parameters, options);
  for (int i = 0; i < 5; ++i) step(whole, all);
  for (int i = 0; i < 2; ++i) step(fresh, alone);
  for (int i = 0; i < 3; ++i) step(late, unfreezing);
  late.parameters.unfreeze("convolution");
  unfreezing.cover_unfrozen();
  for (int i = 0; i < 2; ++i) step(late, unfreezing);
  EXPECT_EQ(bits(late.values()), bits(whole.values()));
  const auto convolution = [](const Model& model) { return bits(model.parameters.state().at("convolution").values); };
  EXPECT_EQ(convolution(late), convolution(fresh));
  EXPECT_NE(convolution(late), convolution(whole));

  // The count and the origins survive a checkpoint.
  EXPECT_EQ(unfreezing.state().at("convolution/start").values, Values{3});
  Model resumed;
  Optimizer again(resumed.parameters, options);
  resumed.parameters.load(late.parameters.state());
  again.load(unfreezing.state());
  resumed.context->write_step_state(late.context->read_step_state());
  step(late, unfreezing);
  step(resumed, again);
  EXPECT_EQ(convolution(late), convolution(resumed));
  EXPECT_EQ(bits(late.values()), bits(resumed.values()));
}

TEST(GradientMeter, IsTheNormOfWhatLearns) {
  Model model;
  model.parameters.freeze("convolution");
  model.parameters.allocate_gradients();
  const Values gradient = grid_values(64, 9);
  model.set_gradients(gradient);
  double squares = 0;
  for (float value : gradient) squares += static_cast<double>(value) * static_cast<double>(value);
  GradientMeter meter(model.parameters);
  const Tensor norm = model.context->zeros({2}, Lifetime::persistent);
  meter.measure(norm.data() + 1);
  // Summed in double and rounded once.
  EXPECT_NEAR(norm.to_host()[1], std::sqrt(squares), epsilon * std::sqrt(squares));
  EXPECT_EQ(norm.to_host()[0], 0);
  meter.clear();
  meter.measure(norm.data());
  EXPECT_EQ(norm.to_host()[0], 0);
  model.parameters.freeze("");
  expect_error(ErrorKind::usage, {"no parameter learns"}, [&] { GradientMeter(model.parameters); });
}

TEST(Optimizer, WrongOptionsAndNothingToTrainAreErrors) {
  Model model;
  OptimizerOptions negative;
  negative.clip_norm = -1;
  expect_error(ErrorKind::usage, {"not negative"}, [&] { Optimizer(model.parameters, negative); });
  model.parameters.freeze("");
  expect_error(ErrorKind::usage, {"no parameter"}, [&] { Optimizer(model.parameters, {}); });
}

}  // namespace
}  // namespace preceptor
