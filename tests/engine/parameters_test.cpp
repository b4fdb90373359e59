// Parameters by name: plain order, loading all or nothing, freezing, gradients.
#include "engine/parameters.h"

#include "tests/engine/support.h"

namespace preceptor {
namespace {

using test::bits;
using test::expect_error;
using test::grid_values;

class ParametersTest : public testing::Test {
 protected:
  // Values by which every parameter can be told from another.
  void fill() {
    StateDict state = parameters.state();
    unsigned seed = 0;
    for (auto& [name, tensor] : state) tensor.values = grid_values(tensor.values.size(), ++seed);
    parameters.load(state);
  }
  void add_network() {
    parameters.add("conv1.weight", {16, 3, 3, 3}, ParameterKind::convolution);
    parameters.add("bn1.weight", {16}, ParameterKind::plain);
    parameters.add("bn1.running_mean", {16}, ParameterKind::buffer);
    parameters.add("conv2.weight", {8, 16, 1, 1}, ParameterKind::convolution);
    parameters.add("fc.weight", {10, 8}, ParameterKind::plain);
    parameters.add("fc.bias", {10}, ParameterKind::plain);
    fill();
  }
  void expect_state(const StateDict& expected) {
    const StateDict state = parameters.state();
    ASSERT_EQ(state.size(), expected.size());
    for (const auto& [name, tensor] : expected) {
      EXPECT_EQ(state.at(name).shape, tensor.shape) << name;
      EXPECT_EQ(bits(state.at(name).values), bits(tensor.values)) << name;
    }
  }

  std::unique_ptr<Context> context = Context::on_cpu(1, 0);
  Parameters parameters{*context};
};

TEST_F(ParametersTest, ConvolutionWeightsRoundTripAndLieInDeviceOrder) {
  int number = 0;
  for (int out : {1, 5, 8, 16, 24, 32})
    for (int in : {1, 3, 8, 16, 48}) {
      const Shape shape{out, in, 3, 2};
      const Parameter parameter = parameters.add(message("weight", number++), shape, ParameterKind::convolution);
      SCOPED_TRACE(message(shape));
      StateDict state = parameters.state();
      EXPECT_EQ(state.at(parameter.name()).values, std::vector<float>(shape.elements(), 0.0f));
      const std::vector<float> values = grid_values(shape.elements(), 1);
      state.at(parameter.name()).values = values;
      parameters.load(state);
      EXPECT_EQ(parameters.state().at(parameter.name()).values, values);
      const kernels::WeightOrder& order = parameter.order();
      EXPECT_EQ(order.elements(), shape.elements());
      std::size_t plain = 0;
      for (int o = 0; o < out; ++o)
        for (int i = 0; i < in; ++i)
          for (int y = 0; y < 3; ++y)
            for (int x = 0; x < 2; ++x) ASSERT_EQ(parameter.value()[order.offset(o, i, y, x)], values[plain++]);
    }
  EXPECT_EQ(context->pool(Lifetime::step).live(), 0u);
}

TEST_F(ParametersTest, PlainParametersAndSpecialValuesKeepTheirBits) {
  const Parameter parameter = parameters.add("plain", {2, 3}, ParameterKind::plain);
  StateDict state = parameters.state();
  state.at("plain").values = {NAN, -0.0f, INFINITY, 1e-45f, -3, 7};
  parameters.load(state);
  expect_state(state);
  EXPECT_EQ(parameter.value()[5], 7);
}

TEST_F(ParametersTest, NamesAreUniqueAndFound) {
  add_network();
  expect_error(ErrorKind::usage, {"fc.bias", "twice"}, [&] { parameters.add("fc.bias", {3}, ParameterKind::plain); });
  EXPECT_EQ(parameters.find("conv2.weight").shape(), (Shape{8, 16, 1, 1}));
  expect_error(ErrorKind::usage, {"no parameter fc"}, [&] { parameters.find("fc"); });
  EXPECT_EQ(parameters.count(), 16u * 27 + 16 + 8 * 16 + 80 + 10);
  EXPECT_EQ(parameters.all().size(), 6u);
  EXPECT_EQ(parameters.all()[3].name(), "conv2.weight");
}

TEST_F(ParametersTest, AnotherArchitectureIsNamedAndNothingIsSet) {
  add_network();
  const StateDict before = parameters.state();
  StateDict other = before;
  for (auto& [name, tensor] : other)
    for (float& value : tensor.values) value += 1;
  const StateDict good = other;
  const auto refused = [&](const std::vector<std::string>& parts) {
    expect_error(ErrorKind::data, parts, [&] { parameters.load(other); });
    expect_state(before);
    other = good;
  };
  other.erase("conv2.weight");
  refused({"another architecture", "missing conv2.weight"});
  other["layer9.weight"] = {{1}, {1}};
  refused({"unexpected layer9.weight"});
  other.at("fc.weight") = {{7, 8}, std::vector<float>(56)};
  refused({"fc.weight is [7, 8], the model has [10, 8]"});
  other.at("fc.weight").shape = {8, 10};  // as many values
  refused({"fc.weight is [8, 10], the model has [10, 8]"});
  other.clear();
  for (const char* name : {"a", "b", "c"}) other[name] = {{1}, {1}};
  refused({"missing conv1.weight; missing bn1.weight; missing bn1.running_mean; missing conv2.weight; and 5 more"});
  parameters.load(other);
  expect_state(good);
}

TEST_F(ParametersTest, CountOfValuesHasToFitTheShape) {
  add_network();
  StateDict state = parameters.state();
  state.at("fc.bias").values.resize(4);
  expect_error(ErrorKind::usage, {"fc.bias", "4 values", "[10]"}, [&] { parameters.load(state); });
}

TEST_F(ParametersTest, ExceptedNamesKeepTheirValuesWhateverTheFileHolds) {
  add_network();
  const StateDict before = parameters.state();
  StateDict expected = before;
  for (auto& [name, tensor] : expected)
    if (!name.starts_with("fc."))
      for (float& value : tensor.values) value -= 2;
  StateDict state = expected;
  state.erase("fc.bias");
  state.at("fc.weight") = {{1000, 8}, std::vector<float>(8000, 9)};
  state["fc.extra"] = {{1}, {1}};
  expect_error(ErrorKind::data, {"missing fc.bias"}, [&] { parameters.load(state); });
  expect_error(ErrorKind::data, {"missing fc.bias"}, [&] { parameters.load(state, {"conv", "bn"}); });
  expect_state(before);
  parameters.load(state, {"fc."});
  expect_state(expected);
}

TEST_F(ParametersTest, FreezingTakesTheGradientAndTheWatch) {
  add_network();
  for (const Parameter& parameter : parameters.all()) {
    EXPECT_EQ(parameter.trainable(), parameter.kind() != ParameterKind::buffer);
    EXPECT_FALSE(parameter.watched());
    EXPECT_EQ(parameter.gradient(), nullptr);
  }
  EXPECT_TRUE(parameters.gradients().empty());
  parameters.freeze("conv1");
  parameters.allocate_gradients();
  EXPECT_FALSE(parameters.find("conv1.weight").watched());
  EXPECT_TRUE(parameters.find("conv2.weight").watched());
  EXPECT_FALSE(parameters.find("bn1.running_mean").watched());
  EXPECT_EQ(parameters.gradients().size(), 4u);
  for (const auto& [name, tensor] : parameters.gradients())
    EXPECT_EQ(tensor.values, std::vector<float>(tensor.shape.elements(), 0.0f)) << name;
  const std::size_t live = context->pool(Lifetime::persistent).live();
  parameters.freeze("fc.");
  EXPECT_EQ(context->pool(Lifetime::persistent).live(), live - 2);
  parameters.allocate_gradients();  // frozen ones stay without
  EXPECT_EQ(parameters.gradients().size(), 2u);
  EXPECT_EQ(parameters.find("fc.weight").gradient(), nullptr);
  EXPECT_EQ(parameters.count(), 16u * 27 + 16 + 8 * 16 + 80 + 10);
  fill();  // frozen parameters are loaded like others
}

TEST_F(ParametersTest, GradientsAreReadInPlainOrder) {
  const Parameter parameter = parameters.add("weight", {16, 8, 2, 2}, ParameterKind::convolution);
  parameters.allocate_gradients();
  std::vector<float> expected(parameter.shape().elements());
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = static_cast<float>(i);
  std::size_t plain = 0;
  for (int o = 0; o < 16; ++o)
    for (int i = 0; i < 8; ++i)
      for (int y = 0; y < 2; ++y)
        for (int x = 0; x < 2; ++x) parameter.gradient()[parameter.order().offset(o, i, y, x)] = expected[plain++];
  EXPECT_EQ(parameters.gradients().at("weight").values, expected);
}

}  // namespace
}  // namespace preceptor
