// Adds layers to the list, and follows the sizes of an image through it.
#include "models/layer_graph.h"

#include <algorithm>
#include <utility>

namespace preceptor {
namespace {

using Kind = LayerNode::Kind;

// "layer1.0.conv1" of "layer1.0.conv1.weight".
std::string layer_name(const Parameter& parameter) {
  return parameter.name().substr(0, parameter.name().find_last_of('.'));
}

// Output [channels, height, width] of a layer that reads x.
Shape output_of(const LayerNode& node, const Shape& x, const Shape* second) {
  const auto slid = [&](int size) { return (size + 2 * node.padding - node.window) / node.stride + 1; };
  switch (node.kind) {
    case Kind::convolution:
      return {node.weight.shape()[0], slid(x[1]), slid(x[2])};
    case Kind::max_pool:
    case Kind::average_pool:
      return {x[0], slid(x[1]), slid(x[2])};
    case Kind::global_average_pool:
      return {x[0], 1, 1};
    case Kind::linear:
      return {node.weight.shape()[0], 1, 1};
    case Kind::concatenation:
      return {x[0] + (*second)[0], x[1], x[2]};
    case Kind::batch_norm:
    case Kind::copy:
      break;
  }
  return x;
}

}  // namespace

BatchNormParameters add_batch_norm(Parameters& parameters, const std::string& name, int channels) {
  BatchNormParameters norm;
  norm.gamma = parameters.add(name + ".weight", {channels}, ParameterKind::plain);
  norm.beta = parameters.add(name + ".bias", {channels}, ParameterKind::plain);
  norm.running_mean = parameters.add(name + ".running_mean", {channels}, ParameterKind::buffer);
  norm.running_variance = parameters.add(name + ".running_var", {channels}, ParameterKind::buffer);
  return norm;
}

ConvolutionBatchNorm::ConvolutionBatchNorm(Parameters& parameters, const std::string& convolution,
                                           const std::string& batch_norm, int in, int out, int kernel, int stride)
    : weight(parameters.add(convolution + ".weight", {out, in, kernel, kernel}, ParameterKind::convolution)),
      norm(add_batch_norm(parameters, batch_norm, out)),
      options{.stride = stride, .padding = kernel / 2, .statistics = true} {}

Tensor ConvolutionBatchNorm::operator()(const Tensor& x) const {
  return batch_norm(convolution(x, weight, nullptr, options), norm, true, false);
}

std::optional<BatchNormParameters> LayerGraph::norm_after(int x) const {
  for (const LayerNode& node : nodes_) {
    if (node.input != x) continue;
    if (node.norm_before) return node.norm_before;
    if (node.kind == Kind::batch_norm) return node.norm;
  }
  return std::nullopt;
}

int LayerGraph::add(LayerNode node) {
  nodes_.push_back(std::move(node));
  return static_cast<int>(nodes_.size()) - 1;
}

int LayerGraph::convolution(int x, const ConvolutionBatchNorm& layer, bool relu, int residual) {
  return add({.kind = Kind::convolution,
              .name = layer_name(layer.weight),
              .input = x,
              .second = residual,
              .norm = layer.norm,
              .weight = layer.weight,
              .relu = relu,
              .window = layer.weight.shape()[2],
              .stride = layer.options.stride,
              .padding = layer.options.padding});
}

int LayerGraph::batch_norm_convolution(int x, const BatchNormParameters& norm_before, const Parameter& weight,
                                       int padding) {
  return add({.kind = Kind::convolution,
              .name = layer_name(weight),
              .input = x,
              .norm_before = norm_before,
              .weight = weight,
              .window = weight.shape()[2],
              .padding = padding});
}

int LayerGraph::max_pool(int x, const std::string& name, int window, int stride, int padding) {
  return add(
      {.kind = Kind::max_pool, .name = name, .input = x, .window = window, .stride = stride, .padding = padding});
}

LayerNode* LayerGraph::private_source(const LayerNode& convolution, std::vector<LayerNode>& nodes) const {
  if (convolution.kind != Kind::convolution || convolution.input < 0) return nullptr;
  const int source = convolution.input;
  const auto readers = std::ranges::count(nodes_, source, &LayerNode::input) +
                       std::ranges::count(nodes_, source, &LayerNode::second) +
                       std::ranges::count(taps_, source, &TappedLayer::layer);
  LayerNode& node = nodes[static_cast<std::size_t>(source)];
  return readers == 1 && node.kind == Kind::convolution && node.second == LayerNode::none ? &node : nullptr;
}

std::vector<LayerNode> LayerGraph::with_norms_at_sources() const {
  std::vector<LayerNode> nodes = nodes_;
  for (LayerNode& node : nodes) {
    LayerNode* source = private_source(node, nodes);
    if (!source || !node.norm_before || source->norm) continue;
    source->norm = std::exchange(node.norm_before, std::nullopt);
    source->relu = true;
  }
  return nodes;
}

std::vector<LayerNode> LayerGraph::with_norms_at_readers() const {
  std::vector<LayerNode> nodes = nodes_;
  for (LayerNode& node : nodes) {
    LayerNode* source = private_source(node, nodes);
    if (!source || node.norm_before || !source->norm || !source->relu) continue;
    node.norm_before = std::exchange(source->norm, std::nullopt);
    source->relu = false;
  }
  return nodes;
}

std::vector<Shape> LayerGraph::output_shapes(const Shape& image) const {
  std::vector<Shape> outputs;
  for (const LayerNode& node : nodes_) {
    const auto position = [](int of) { return static_cast<std::size_t>(of); };
    const Shape x = node.input == LayerNode::network_input ? image : outputs[position(node.input)];
    outputs.push_back(output_of(node, x, node.second == LayerNode::none ? nullptr : &outputs[position(node.second)]));
  }
  return outputs;
}

}  // namespace preceptor
