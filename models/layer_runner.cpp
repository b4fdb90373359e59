// Each kind of layer as ops.
#include "models/layer_runner.h"

#include <algorithm>
#include <utility>

namespace preceptor {
namespace {

using Kind = LayerNode::Kind;

std::size_t position(int layer) { return static_cast<std::size_t>(layer); }

// In training a batch norm reads the output of this layer, which may have been copied to a dense block before.
bool feeds_norm(const std::vector<LayerNode>& nodes, int layer, bool drops) {
  return nodes[position(layer)].norm || std::ranges::any_of(nodes, [&](const LayerNode& reader) {
           return (reader.input == layer && reader.norm_before) ||
                  (reader.second == layer && reader.kind == Kind::concatenation && !drops);
         });
}

}  // namespace

LayerRunner::LayerRunner(const LayerGraph& graph, bool fuses_batch_norms, float dropout, int first_dropout)
    : dropout_(dropout) {
  const std::vector<LayerNode> training = fuses_batch_norms ? graph.with_norms_at_readers() : graph.nodes(),
                               inference = graph.with_norms_at_sources();
  int block = 0;  // position of the copy that opened the dense block
  for (int i = 0; i < static_cast<int>(training.size()); ++i) {
    const LayerNode& node = training[position(i)];
    Step step{.training = node, .inference = inference[position(i)], .folded = {}, .taps = {}};
    step.feeds_norm = feeds_norm(training, i, dropout > 0);
    for (const LayerGraph::TappedLayer& tapped : graph.taps())
      if (tapped.layer == i) step.taps.push_back(tapped);
    if (node.kind == Kind::copy) block = i;
    if (node.kind == Kind::concatenation) {
      step.dropout_layer = first_dropout++;
      steps_[position(block)].added_channels += training[position(node.second)].weight.shape()[0];
    }
    steps_.push_back(std::move(step));
  }
  std::vector<char> read_later(steps_.size(), 0);
  const auto is_last_reader = [&](int source) {
    return source >= 0 && !std::exchange(read_later[position(source)], 1);
  };
  for (std::size_t i = steps_.size(); i-- > 0;) {
    steps_[i].ends_input = is_last_reader(steps_[i].training.input);
    steps_[i].ends_second = is_last_reader(steps_[i].training.second);
  }
}

void LayerRunner::fold() {
  for (Step& step : steps_)
    if (step.inference.kind == Kind::convolution && step.inference.norm)
      step.folded.refresh(step.inference.weight, *step.inference.norm);
}

Tensor LayerRunner::operator()(const Tensor& input, const std::function<Mode(const std::string& layer)>& mode_of,
                               Taps& taps) const {
  std::vector<Output> outputs(steps_.size());
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const Step& step = steps_[i];
    const LayerNode& node = step.training;
    const auto offer = [&](bool before_activation) {
      for (const LayerGraph::TappedLayer& tapped : step.taps)
        if (tapped.before_activation == before_activation) taps.record(tapped.name, outputs[i].value);
    };
    const bool splits_relu = std::ranges::any_of(
        step.taps, [&](const auto& tapped) { return tapped.before_activation && taps.requested(tapped.name); });
    const auto take = [&](int source, bool ends) {
      if (source < 0) return source == LayerNode::network_input ? Output{input, {}} : Output();
      Output& output = outputs[position(source)];
      return ends ? std::exchange(output, {}) : output;
    };
    outputs[i] = run(step, mode_of(node.name), !splits_relu, take(node.input, step.ends_input),
                     take(node.second, step.ends_second).value);
    if (splits_relu) {
      offer(true);
      outputs[i].value = relu(outputs[i].value);
    }
    offer(false);
  }
  return outputs.back().value;
}

LayerRunner::Output LayerRunner::run(const Step& step, Mode mode, bool relu, Output input, Tensor second) const {
  const LayerNode& node = mode == Mode::train ? step.training : step.inference;
  const Tensor& x = input.value;
  switch (node.kind) {
    case Kind::convolution:
      return {convolve(step, mode, node.relu && relu, x, std::move(second)), {}};
    case Kind::batch_norm:
      return {batch_norm(x, *node.norm, mode == Mode::train, true), {}};
    case Kind::max_pool:
      return {max_pool(x, node.window, node.stride, node.padding), {}};
    case Kind::average_pool:
      return {average_pool(x, node.window, node.stride, 0), {}};
    case Kind::global_average_pool:
      return {global_average_pool(x), {}};
    case Kind::linear:
      return {linear(x, node.weight, node.bias), {}};
    case Kind::copy: {
      const Shape& shape = x.shape();
      Tensor maps = x.context().empty({shape[0], shape[1] + step.added_channels, shape[2], shape[3]});
      if (mode == Mode::train) maps.keep_statistics();
      return {copy_into(x, maps.channels(0, shape[1])), maps};
    }
    case Kind::concatenation: {
      const Tensor place = input.maps.channels(x.shape()[1], second.shape()[1]);
      const bool drops = mode == Mode::train && dropout_ > 0;
      return {join_channels(
                  x, drops ? dropout_into(second, dropout_, step.dropout_layer, place) : copy_into(second, place)),
              input.maps};
    }
  }
  return {};
}

// relu?(norm?(convolution(x or relu(norm_before(x)))) + second?)
Tensor LayerRunner::convolve(const Step& step, Mode mode, bool relu, const Tensor& x, Tensor second) const {
  const LayerNode& node = mode == Mode::train ? step.training : step.inference;
  const ConvolutionOptions options{
      .stride = node.stride, .padding = node.padding, .statistics = mode == Mode::train && step.feeds_norm};
  if (mode == Mode::train) {
    const Tensor y = node.norm_before ? batch_norm_convolution(x, *node.norm_before, node.weight, options)
                                      : convolution(x, node.weight, nullptr, options);
    return node.norm ? batch_norm(y, *node.norm, true, relu, second) : y;
  }
  const Tensor read = node.norm_before ? batch_norm(x, *node.norm_before, false, true) : x;
  if (!node.norm) return convolution(read, node.weight, nullptr, options);
  return folded_convolution(read, step.folded, node.weight, options, relu, std::move(second));
}

}  // namespace preceptor
