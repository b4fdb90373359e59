// The moving average against its formula in double precision, on every device, replayed.
#include "engine/moving_average.h"

#include <limits>

#include "engine/train_step.h"
#include "tests/engine/support.h"

namespace preceptor {
namespace {

using test::expect_error;
using test::grid_values;

void add_parameters(Parameters& parameters) {
  parameters.add("weight", {16, 8, 1, 3}, ParameterKind::convolution);
  parameters.add("bias", {33}, ParameterKind::plain);
  parameters.add("running_mean", {5}, ParameterKind::buffer);
}

StateDict values(unsigned seed) {
  return {{"weight", {{16, 8, 1, 3}, grid_values(384, seed)}},
          {"bias", {{33}, grid_values(33, seed + 1)}},
          {"running_mean", {{5}, grid_values(5, seed + 2)}}};
}

void follow_the_model(Context& context) {
  Parameters model(context), average(context);
  add_parameters(model);
  add_parameters(average);
  StateDict expected = values(1);
  average.load(expected);
  MovingAverage moving(model, average, 0.7);
  Staging staging(context);
  TrainStep step(context, [&] {
    staging.take();
    moving.update();
  });
  for (int t = 0; t < 6; ++t) {
    const StateDict now = values(10 + static_cast<unsigned>(t));
    model.load(now);
    moving.stage(t, staging);
    staging.send();
    step();
    // Halves, two thirds, then the decay.
    const double decay = t == 0 ? 0.5 : t == 1 ? 2.0 / 3 : 0.7;
    const StateDict got = average.state();
    for (auto& [name, tensor] : expected)
      for (std::size_t i = 0; i < tensor.values.size(); ++i) {
        const double a = tensor.values[i], v = now.at(name).values[i];
        // Values are below 1 in size: the difference, the product and the sum round once each.
        EXPECT_NEAR(got.at(name).values[i], decay * a + (1 - decay) * v, 4 * std::numeric_limits<float>::epsilon())
            << name << " " << i << " after step " << t;
        tensor.values[i] = got.at(name).values[i];
      }
  }
  EXPECT_TRUE(step.replaying());
  const Parameter weight = average.find("weight");
  for (int i = 0; weight.rounded() != nullptr && i < 384; ++i)
    ASSERT_EQ(weight.rounded()[i].bits, kernels::bfloat16(weight.value()[i]).bits) << "what convolutions read, " << i;
}

TEST(MovingAverage, FollowsTheModel) { follow_the_model(*Context::on_cpu(2, 0)); }

TEST(MovingAverage, FollowsTheModelInBfloat16OnEmulated) {
  Context context(kernels::open_device("emulated", 2), 0, Precision::bfloat16);
  follow_the_model(context);
}

TEST(MovingAverage, FollowsTheModelOnEmulated) {
  Context context(kernels::open_device("emulated", 2), 0);
  follow_the_model(context);
}

TEST(MovingAverage, RefusesWhatIsNoAverage) {
  const auto context = Context::on_cpu(1, 0);
  Parameters model(*context), average(*context), other(*context);
  add_parameters(model);
  add_parameters(average);
  expect_error(ErrorKind::usage, {"a decay of 1"}, [&] { MovingAverage(model, average, 1); });
  expect_error(ErrorKind::usage, {"of 3 parameters in 0"}, [&] { MovingAverage(model, other, 0.5); });
}

}  // namespace
}  // namespace preceptor
