// The list of layers is the network: its layers, computed in order, give the logits of a forward pass.
#include "models/layer_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "models/registry.h"
#include "tests/models/statistics.h"

namespace preceptor {
namespace {

using Kind = LayerNode::Kind;

// Channels of a, then those of b, by way of the host.
Tensor concatenated(const Tensor& a, const Tensor& b) {
  const Shape &first = a.shape(), &second = b.shape();
  const Tensor out = a.context().empty({first[0], first[1] + second[1], first[2], first[3]});
  const std::vector<float> from_a = a.to_host(), from_b = b.to_host();
  const std::size_t one_a = from_a.size() / first[0], one_b = from_b.size() / first[0];
  std::vector<float> values;
  for (std::size_t n = 0; n < static_cast<std::size_t>(first[0]); ++n) {
    values.insert(values.end(), from_a.begin() + n * one_a, from_a.begin() + (n + 1) * one_a);
    values.insert(values.end(), from_b.begin() + n * one_b, from_b.begin() + (n + 1) * one_b);
  }
  out.from_host(values);
  return out;
}

Tensor compute(const LayerNode& node, const Tensor& input, const Tensor& second) {
  switch (node.kind) {
    case Kind::convolution: {
      const Tensor x = node.norm_before ? batch_norm(input, *node.norm_before, false, true) : input;
      Tensor y = convolution(x, node.weight, nullptr, {node.stride, node.padding});
      if (node.norm) y = batch_norm(y, *node.norm, false, false);
      if (second.defined()) y = add(y, second);
      return node.relu ? relu(y) : y;
    }
    case Kind::batch_norm:
      return batch_norm(input, *node.norm, false, true);
    case Kind::max_pool:
      return max_pool(input, node.window, node.stride, node.padding);
    case Kind::average_pool:
      return average_pool(input, node.window, node.stride, 0);
    case Kind::global_average_pool:
      return global_average_pool(input);
    case Kind::linear:
      return linear(input, node.weight, node.bias);
    case Kind::copy:
      return input;
    case Kind::concatenation:
      return concatenated(input, second);
  }
  return {};
}

class LayerGraphTest : public testing::TestWithParam<std::string> {};

TEST_P(LayerGraphTest, ComputesWhatTheNetworkComputes) {
  const auto context = Context::on_cpu(2, 0);
  const auto network = make_model(*context, {.name = GetParam(), .in_channels = 3, .outputs = 5});
  test::initialize_with_statistics(*network, 3);
  const Tensor input = context->empty({2, 3, 36, 44});
  std::vector<float> values(input.shape().elements());
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(0.37f * static_cast<float>(i));
  input.from_host(values);
  const std::vector<float> expected = network->forward(input, Mode::inference).logits.to_host();

  const Tape::Pause pause(context->tape());
  const LayerGraph graph = network->layers();
  std::vector<Tensor> outputs;
  std::vector<std::string> names;
  for (const LayerNode& node : graph.nodes()) {
    const auto output_of = [&](int position) {
      return position == LayerNode::network_input ? input
             : position == LayerNode::none        ? Tensor()
                                                  : outputs.at(static_cast<std::size_t>(position));
    };
    outputs.push_back(compute(node, output_of(node.input), output_of(node.second)));
    EXPECT_EQ(std::count(names.begin(), names.end(), node.name), 0) << node.name << " stands there twice";
    names.push_back(node.name);
  }
  const std::vector<float> logits = outputs.back().to_host();
  ASSERT_EQ(logits.size(), expected.size());
  for (std::size_t i = 0; i < logits.size(); ++i)
    EXPECT_NEAR(logits[i], expected[i], 1e-4f * std::max(1.0f, std::abs(expected[i]))) << i;
}

std::string parameter_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Models, LayerGraphTest, testing::ValuesIn(model_names()), parameter_name);

}  // namespace
}  // namespace preceptor
