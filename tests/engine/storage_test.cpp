// Tensors in bfloat16: their way to the host and back, views, and the rounded weights beside float masters.
#include "engine/storage.h"

#include "engine/ops.h"
#include "engine/optimizer.h"
#include "tests/engine/support.h"

namespace preceptor {
namespace {

using kernels::bfloat16;
using test::expect_error;
using test::grid_values;

std::vector<float> rounded(std::vector<float> values) {
  for (float& value : values) value = static_cast<float>(bfloat16(value));
  return values;
}

class StorageTest : public testing::Test {
 protected:
  Context context{kernels::emulated_device(1), 0, Precision::bfloat16};
};

TEST_F(StorageTest, MapsAreRoundedAndAllElseIsNot) {
  const std::vector<float> values = grid_values(2 * 24 * 3 * 5, 1, 8);
  ASSERT_NE(rounded(values), values) << "nothing would be noticed";
  const Tensor map = test::tensor_of(context, {2, 24, 3, 5}, values);
  EXPECT_EQ(map.storage(), Storage::bfloat16);
  EXPECT_EQ(map.to_host(), rounded(values));
  const Tensor matrix = test::tensor_of(context, {2, 360}, values);
  EXPECT_EQ(matrix.storage(), Storage::float32);
  EXPECT_EQ(matrix.to_host(), values);
}

TEST_F(StorageTest, AMapTakesHalfTheBytes) {
  const Shape shape{1, 64, 8, 8};
  const auto bytes_of_one = [&](Storage storage) {
    const std::size_t before = context.pool(Lifetime::step).in_use();
    const Tensor map = context.empty(shape, storage);
    return context.pool(Lifetime::step).in_use() - before;
  };
  EXPECT_EQ(context.empty(shape).storage(), Storage::bfloat16);
  EXPECT_EQ(bytes_of_one(Storage::float32) - bytes_of_one(Storage::bfloat16), shape.elements() * 2);
}

TEST_F(StorageTest, ChannelRangesAreWhereTheyWere) {
  const std::vector<float> values = rounded(grid_values(12 * 4, 2));
  const Tensor map = test::tensor_of(context, {1, 12, 2, 2}, values);
  EXPECT_EQ(map.channels(3, 5).to_host(), std::vector<float>(values.begin() + 12, values.begin() + 32));
  EXPECT_EQ(map.channels(3, 5).joined_with(map.channels(8, 2)).shape(), Shape({1, 7, 2, 2}));
}

TEST_F(StorageTest, CopiesBetweenStorages) {
  const std::vector<float> values = grid_values(2 * 3 * 4, 3, 8);
  const Tensor exact = context.empty({2, 3, 2, 2}, Storage::float32), map = context.empty({2, 3, 2, 2});
  exact.from_host(values);
  exact.copy_to(map);
  EXPECT_EQ(map.to_host(), rounded(values));
  map.copy_to(exact);
  EXPECT_EQ(exact.to_host(), rounded(values));
}

// Rows of a map are float, and their gradient goes back into the map's storage.
TEST_F(StorageTest, RowsOfAMapAreFloats) {
  const std::vector<float> values = grid_values(2 * 3 * 4, 4, 8);
  Tensor map = test::tensor_of(context, {2, 3, 2, 2}, values);
  context.tape().watch(map);
  const Tensor rows = as_rows(map);
  EXPECT_EQ(rows.storage(), Storage::float32);
  pointwise_loss(kernels::PointwiseLossKind::square, rows, Tensor(), 1);
  context.tape().backward();
  const Tensor gradient = context.tape().gradient(map);
  EXPECT_EQ(gradient.storage(), Storage::bfloat16);
  std::vector<float> twice = rounded(values);
  for (float& value : twice) value *= 2;
  EXPECT_EQ(gradient.to_host(), twice);
  context.tape().clear();
}

TEST_F(StorageTest, AnotherTypeThanTheStoredOneIsRefused) {
  const Tensor map = context.empty({1, 8, 2, 2});
  expect_error(ErrorKind::internal, {"[1, 8, 2, 2]", "bfloat16", "float"}, [&] { map.data(); });
  EXPECT_EQ(Tensor().data<bfloat16>(), nullptr);
}

// The copy that convolutions read is that of the master: after the start, after loading and after every update.
TEST_F(StorageTest, RoundedWeightsFollowTheirMasters) {
  Parameters parameters(context);
  const Parameter weight = parameters.add("weight", {4, 3, 3, 3}, ParameterKind::convolution);
  const Parameter bias = parameters.add("bias", {4}, ParameterKind::plain);
  EXPECT_EQ(bias.rounded(), nullptr);
  const auto expect_rounded = [&](const char* when) {
    for (std::size_t i = 0; i < weight.shape().elements(); ++i)
      ASSERT_EQ(static_cast<float>(weight.value_for<bfloat16>()[i]), static_cast<float>(bfloat16(weight.value()[i])))
          << when << ", " << i;
  };
  expect_rounded("before anything");
  StateDict state = parameters.state();
  state.at("weight").values = grid_values(108, 5, 4);
  parameters.load(state);
  ASSERT_NE(weight.value()[5], 0);
  expect_rounded("loaded");
  EXPECT_EQ(parameters.state().at("weight").values, state.at("weight").values) << "masters are not rounded";

  Optimizer optimizer(parameters, OptimizerOptions{.rule = kernels::UpdateRule::sgd, .momentum = 0});
  context.set_learning_rate(0.37f);
  const Tensor x = test::tensor_of(context, {1, 3, 4, 4}, grid_values(48, 6));
  const Tensor y = convolution(x, weight, &bias, {1, 1});
  pointwise_loss(kernels::PointwiseLossKind::square, y, Tensor(), 1);
  context.tape().backward();
  optimizer.step();
  EXPECT_NE(parameters.state().at("weight").values, state.at("weight").values);
  expect_rounded("updated");
}

TEST(Precision, NamesAndDevicesThatHaveItNot) {
  EXPECT_EQ(precision_named("float"), Precision::float32);
  EXPECT_EQ(precision_named("bf16"), Precision::bfloat16);
  expect_error(ErrorKind::usage, {"--precision fp8", "float, tf32, bf16"}, [] { precision_named("fp8"); });
  expect_error(ErrorKind::usage, {"bf16", "the cpu computes with floats only"},
               [] { Context(kernels::cpu_device(1), 0, Precision::bfloat16); });
  expect_error(ErrorKind::usage, {"tf32", "the cpu computes with floats only"},
               [] { Context(kernels::cpu_device(1), 0, precision_named("tf32")); });
  EXPECT_TRUE(Context(kernels::emulated_device(1), 0, precision_named("tf32")).multiplies_tf32());
}

}  // namespace
}  // namespace preceptor
