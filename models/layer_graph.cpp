// Adds layers to the list.
#include "models/layer_graph.h"

namespace preceptor {
namespace {

using Kind = LayerNode::Kind;

// "layer1.0.conv1" of "layer1.0.conv1.weight".
std::string layer_name(const Parameter& parameter) {
  return parameter.name().substr(0, parameter.name().find_last_of('.'));
}

}  // namespace

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

int LayerGraph::batch_norm(int x, const BatchNormParameters& norm) {
  return add({.kind = Kind::batch_norm, .name = layer_name(norm.gamma), .input = x, .norm = norm, .relu = true});
}

int LayerGraph::max_pool(int x, const std::string& name, int window, int stride, int padding) {
  return add(
      {.kind = Kind::max_pool, .name = name, .input = x, .window = window, .stride = stride, .padding = padding});
}

int LayerGraph::average_pool(int x, const std::string& name, int window, int stride) {
  return add({.kind = Kind::average_pool, .name = name, .input = x, .window = window, .stride = stride});
}

int LayerGraph::global_average_pool(int x, const std::string& name) {
  return add({.kind = Kind::global_average_pool, .name = name, .input = x});
}

int LayerGraph::linear(int x, const Parameter& weight, const Parameter& bias) {
  return add({.kind = Kind::linear, .name = layer_name(weight), .input = x, .weight = weight, .bias = bias});
}

int LayerGraph::copy(int x, const std::string& name) { return add({.kind = Kind::copy, .name = name, .input = x}); }

int LayerGraph::concatenation(int x, int second, const std::string& name) {
  return add({.kind = Kind::concatenation, .name = name, .input = x, .second = second});
}

}  // namespace preceptor
