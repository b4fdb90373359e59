// The layers of a network as nodes of an ONNX graph. Field numbers are those of onnx.proto.
#include "models/onnx.h"

#include <cmath>

#include "models/protobuf.h"

namespace preceptor {
namespace {

using Kind = LayerNode::Kind;
constexpr int ir_version = 8, opset = 17, float_type = 1;

ProtobufMessage attribute(const char* name, int value) {
  return ProtobufMessage().bytes(1, name).number(3, value).number(20, 2);
}
ProtobufMessage attribute(const char* name, float value) {
  return ProtobufMessage().bytes(1, name).real(2, value).number(20, 1);
}
ProtobufMessage attribute(const char* name, std::initializer_list<int> values) {
  ProtobufMessage message;
  message.bytes(1, name);
  for (const int value : values) message.number(8, value);
  return message.number(20, 7);
}

// A tensor of [batch, sizes...].
ProtobufMessage value_info(const char* name, std::initializer_list<int> sizes) {
  ProtobufMessage shape;
  shape.message(1, ProtobufMessage().bytes(2, "batch"));
  for (const int size : sizes) shape.message(1, ProtobufMessage().number(1, size));
  const ProtobufMessage tensor = ProtobufMessage().number(1, float_type).message(2, shape);
  return ProtobufMessage().bytes(1, name).message(2, ProtobufMessage().message(1, tensor));
}

class GraphWriter {
 public:
  GraphWriter(const StateDict& state, bool fold) : state_(state), fold_(fold) {}

  // Returns the name of the layer's output.
  std::string add_layer(const LayerNode& node, const std::string& x, const std::string& second) {
    switch (node.kind) {
      case Kind::convolution:
        return convolution(node, x, second);
      case Kind::batch_norm:
        return relu(batch_norm(x, *node.norm));
      case Kind::max_pool:
        return add_node("MaxPool", node.name, {x}, window_of(node));
      case Kind::average_pool:
        return add_node("AveragePool", node.name, {x}, window_of(node));
      case Kind::global_average_pool:
        return add_node("Flatten", node.name + ".flat", {add_node("GlobalAveragePool", node.name, {x})},
                        {attribute("axis", 1)});
      case Kind::linear:
        return add_node("Gemm", "logits", {x, stored(node.weight), stored(node.bias)}, {attribute("transB", 1)});
      case Kind::copy:
        return x;
      case Kind::concatenation:
        return add_node("Concat", node.name, {x, second}, {attribute("axis", 1)});
    }
    return x;
  }

  // A node is called like its only output.
  std::string add_node(const char* op, const std::string& name, const std::vector<std::string>& inputs,
                       const std::vector<ProtobufMessage>& attributes = {}) {
    ProtobufMessage node;
    for (const std::string& input : inputs) node.bytes(1, input);
    node.bytes(2, name).bytes(3, name).bytes(4, op);
    for (const ProtobufMessage& entry : attributes) node.message(5, entry);
    graph.message(1, node);
    return name;
  }

  ProtobufMessage graph;

 private:
  static std::vector<ProtobufMessage> window_of(const LayerNode& node) {
    return {attribute("kernel_shape", {node.window, node.window}), attribute("strides", {node.stride, node.stride}),
            attribute("pads", {node.padding, node.padding, node.padding, node.padding})};
  }

  std::string convolution(const LayerNode& node, const std::string& x, const std::string& second) {
    const std::string input = node.norm_before ? relu(batch_norm(x, *node.norm_before)) : x;
    const bool folded = node.norm && fold_;
    std::vector<std::string> inputs = {input};
    if (folded)
      add_folded(node, inputs);
    else
      inputs.push_back(stored(node.weight));
    std::string y = add_node("Conv", node.name, inputs, window_of(node));
    if (node.norm && !folded) y = batch_norm(y, *node.norm);
    if (!second.empty()) y = add_node("Add", node.name + ".sum", {y, second});
    return node.relu ? relu(y) : y;
  }

  // Weight and bias of a convolution that does what its batch norm did.
  void add_folded(const LayerNode& node, std::vector<std::string>& inputs) {
    PlainTensor weight = state_.at(node.weight.name()), bias = state_.at(node.norm->beta.name());
    const std::vector<float>&gamma = state_.at(node.norm->gamma.name()).values,
          &mean = state_.at(node.norm->running_mean.name()).values,
          &variance = state_.at(node.norm->running_variance.name()).values;
    const std::size_t row = weight.values.size() / gamma.size();
    for (std::size_t c = 0; c < gamma.size(); ++c) {
      const double scale = static_cast<double>(gamma[c]) /
                           std::sqrt(static_cast<double>(variance[c]) + static_cast<double>(node.norm->epsilon));
      bias.values[c] = static_cast<float>(static_cast<double>(bias.values[c]) - static_cast<double>(mean[c]) * scale);
      for (std::size_t i = c * row; i < (c + 1) * row; ++i)
        weight.values[i] = static_cast<float>(static_cast<double>(weight.values[i]) * scale);
    }
    inputs.push_back(add_initializer(node.weight.name(), weight));
    inputs.push_back(add_initializer(node.name + ".bias", bias));
  }

  std::string batch_norm(const std::string& x, const BatchNormParameters& norm) {
    const std::string gamma = norm.gamma.name();
    return add_node(
        "BatchNormalization", gamma.substr(0, gamma.find_last_of('.')),
        {x, stored(norm.gamma), stored(norm.beta), stored(norm.running_mean), stored(norm.running_variance)},
        {attribute("epsilon", norm.epsilon)});
  }
  std::string relu(const std::string& x) { return add_node("Relu", x + ".relu", {x}); }

  std::string stored(const Parameter& parameter) {
    return add_initializer(parameter.name(), state_.at(parameter.name()));
  }
  std::string add_initializer(const std::string& name, const PlainTensor& tensor) {
    ProtobufMessage message;
    for (const int size : tensor.shape.sizes()) message.number(1, size);
    message.number(2, float_type).bytes(8, name);
    message.bytes(9, {reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float)});
    graph.message(5, message);
    return name;
  }

  const StateDict& state_;
  bool fold_;
};

ProtobufMessage graph_of(const LoadedModel& model, const OnnxOptions& options) {
  const ModelCard& card = model.card;
  const StateDict state = model.network->parameters().state();
  GraphWriter writer(state, options.fold);
  std::vector<std::string> outputs;
  for (const LayerNode& node : model.network->layers().with_norms_at_sources()) {
    const auto name_of = [&](int read) {
      return read >= 0 ? outputs[static_cast<std::size_t>(read)] : read == LayerNode::network_input ? "input" : "";
    };
    outputs.push_back(writer.add_layer(node, name_of(node.input), name_of(node.second)));
  }
  writer.graph.bytes(2, card.network.name)
      .message(11, value_info("input", {card.network.in_channels, card.height, card.width}))
      .message(12, value_info("logits", {card.network.outputs}));
  if (options.probabilities) {
    if (card.task == Task::multi_label || card.cumulative)
      writer.add_node("Sigmoid", "probabilities", {"logits"});
    else
      writer.add_node("Softmax", "probabilities", {"logits"}, {attribute("axis", 1)});
    writer.graph.message(12, value_info("probabilities", {card.network.outputs}));
  }
  return std::move(writer.graph);
}

}  // namespace

std::string onnx_model(const LoadedModel& model, const OnnxOptions& options) {
  Metadata metadata = to_metadata(model.card);
  metadata["preprocessing"] = "input = (pixel / 255 - mean) / deviation, by channel; pixels 0 to 255, channels first";
  ProtobufMessage file;
  file.number(1, ir_version).bytes(2, "preceptor").bytes(3, PRECEPTOR_VERSION);
  file.message(8, ProtobufMessage().bytes(1, "").number(2, opset));
  for (const auto& [key, value] : metadata) file.message(14, ProtobufMessage().bytes(1, key).bytes(2, value));
  file.message(7, graph_of(model, options));
  return file.wire();
}

}  // namespace preceptor
