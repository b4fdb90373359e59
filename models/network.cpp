// Random starts, freezing, and the frame of a forward pass.
#include "models/network.h"

#include <cmath>
#include <optional>

#include "models/initial_values.h"

namespace preceptor {
Network::Network(Context& context, const NetworkOptions& options, std::string head)
    : parameters_(context), options_(options), head_(std::move(head)) {}

void Network::add_head(int features) {
  head_weight_ = parameters_.add(head_ + ".weight", {options_.outputs, features}, ParameterKind::plain);
  head_bias_ = parameters_.add(head_ + ".bias", {options_.outputs}, ParameterKind::plain);
}

double Network::initial_deviation(const Shape& convolution) const {
  return std::sqrt(2.0 / (convolution[0] * convolution[2] * convolution[3]));
}

ConvolutionBatchNorm Network::make_stem(const std::string& convolution, const std::string& batch_norm, int width) {
  const int kernel = options_.small_stem ? 3 : 7, stride = options_.small_stem ? 1 : 2;
  return {parameters_, convolution, batch_norm, options_.in_channels, width, kernel, stride, kernel / 2};
}

void Network::initialize(std::uint64_t seed) {
  StateDict state = parameters_.state();
  const double head_scale = 1 / std::sqrt(static_cast<double>(head_weight_.shape()[1]));
  for (auto& [name, tensor] : state) {
    const InitialValues random(seed, name);
    const bool is_convolution = tensor.shape.rank() == 4, is_head = name.starts_with(head_ + ".");
    const double deviation = is_convolution ? initial_deviation(tensor.shape) : 0;
    const double constant = name.ends_with(".weight") || name.ends_with(".running_var") ? 1 : 0;
    for (std::size_t i = 0; i < tensor.values.size(); ++i)
      tensor.values[i] = static_cast<float>(is_convolution ? deviation * random.normal(i)
                                            : is_head      ? head_scale * (2 * random.uniform(i) - 1)
                                                           : constant);
  }
  adjust_initial(state);
  parameters_.load(state);
}

Features Network::forward(const Tensor& input, Mode mode, const std::vector<std::string>& taps) {
  require(input.shape().rank() == 4 && input.shape()[1] == options_.in_channels, options_.name, ": input ",
          input.shape(), " has not the ", options_.in_channels, " channels of the network");
  std::optional<Tape::Pause> pause;
  if (mode == Mode::inference) pause.emplace(input.context().tape());
  Taps wanted(taps);
  Features features;
  features.logits = run(input, mode, wanted);
  features.taps = wanted.kept();
  for (const std::string& name : taps)
    if (!features.taps.contains(name)) tap(name, input.shape()[2], input.shape()[3]);  // throws
  return features;
}

std::vector<Tap> Network::taps(int height, int width) const {
  require(height > 0 && width > 0, "taps: images of ", height, "x", width, " are out of range");
  const LayerGraph graph = layers();
  const std::vector<Shape> shapes = graph.output_shapes({options_.in_channels, height, width});
  std::vector<Tap> taps;
  for (const LayerGraph::TappedLayer& tapped : graph.taps()) {
    const auto layer = static_cast<std::size_t>(tapped.layer);
    const bool pooled = graph.nodes()[layer].kind == LayerNode::Kind::global_average_pool;
    const Shape& shape = shapes[layer];
    taps.push_back({tapped.name, pooled ? Shape{shape[0]} : shape, tapped.ends_stage, tapped.before_relu});
    if (!tapped.before_relu) continue;
    Tap& tap = taps.back();
    tap.norm = graph.nodes()[layer].norm;
    tap.norm_follows = !tap.norm;
    if (tap.norm_follows) tap.norm = graph.norm_after(tapped.layer);
  }
  return taps;
}

Tap Network::tap(const std::string& name, int height, int width) const {
  const std::vector<Tap> known = taps(height, width);
  for (const Tap& tap : known)
    if (names_tap(name, tap.name)) return tap;
  fail(ErrorKind::usage, options_.name, " has no tap ", name, "; it has ", tap_list(known));
}

Tensor Network::pool_and_classify(const Tensor& last, Taps& taps) const {
  taps.record("last", last);
  const Tensor pooled = global_average_pool(last);
  taps.record("avgpool", pooled);
  return linear(pooled, head_weight_, head_bias_);
}

void Network::add_pool_and_classifier(LayerGraph& graph, int last) const {
  graph.tap(last, "last");
  const int pooled = graph.global_average_pool(last, "avgpool");
  graph.tap(pooled, "avgpool");
  graph.linear(pooled, head_weight_, head_bias_);
}

void Network::freeze(int count) {
  require(count >= 0 && count <= freezable_blocks(), "freeze: ", options_.name, " has ", freezable_blocks(),
          " blocks, not ", count);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    blocks_[i].frozen = i < static_cast<std::size_t>(count);
    for (const std::string& prefix : blocks_[i].prefixes)
      blocks_[i].frozen ? parameters_.freeze(prefix) : parameters_.unfreeze(prefix);
  }
  if (count > 0) fold();
}

int Network::block_of(const std::string& parameter) const {
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    for (const std::string& prefix : blocks_[i].prefixes)
      if (parameter.starts_with(prefix)) return static_cast<int>(i);
  return freezable_blocks();
}

}  // namespace preceptor
