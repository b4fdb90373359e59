// Random starts, freezing, and the frame of a forward pass.
#include "models/network.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "engine/initial_values.h"

namespace preceptor {

int Network::add_stem(const std::string& convolution, const std::string& batch_norm, const std::string& relu,
                      const std::string& pool, int width) {
  const int kernel = options_.small_stem ? 3 : 7, stride = options_.small_stem ? 1 : 2;
  const ConvolutionBatchNorm stem(parameters_, convolution, batch_norm, options_.in_channels, width, kernel, stride);
  add_block({convolution + ".", batch_norm + "."});
  int x = graph_.convolution(LayerNode::network_input, stem, true);
  graph_.tap(x, relu);
  if (options_.small_stem) return x;
  x = graph_.max_pool(x, pool, 3, 2, 1);
  graph_.tap(x, pool);
  return x;
}

void Network::add_head(int last, int channels) {
  const Parameter weight = parameters_.add(head_ + ".weight", {options_.outputs, channels}, ParameterKind::plain),
                  bias = parameters_.add(head_ + ".bias", {options_.outputs}, ParameterKind::plain);
  graph_.tap(last, "last");
  const int pooled = graph_.add({.kind = LayerNode::Kind::global_average_pool, .name = "avgpool", .input = last});
  graph_.tap(pooled, "avgpool");
  graph_.add({.kind = LayerNode::Kind::linear, .name = head_, .input = pooled, .weight = weight, .bias = bias});
  runner_.emplace(graph_, parameters_.context().fuses_batch_norms(), options_.dropout, options_.first_dropout);
}

void Network::initialize(std::uint64_t seed) {
  StateDict state = parameters_.state();
  const double head_scale = 1 / std::sqrt(static_cast<double>(graph_.nodes().back().weight.shape()[1]));
  for (auto& [name, tensor] : state) {
    const InitialValues random(seed, name);
    const bool is_convolution = tensor.shape.rank() == 4, is_head = name.starts_with(head_ + ".");
    const Shape& shape = tensor.shape;
    const double deviation = is_convolution ? std::sqrt(2.0 / (shape[fan_in_ ? 1 : 0] * shape[2] * shape[3])) : 0;
    const double constant = name.ends_with(".weight") || name.ends_with(".running_var") ? 1 : 0;
    for (std::size_t i = 0; i < tensor.values.size(); ++i)
      tensor.values[i] = static_cast<float>(is_convolution ? deviation * random.normal(i)
                                            : is_head      ? head_scale * (2 * random.uniform(i) - 1)
                                                           : constant);
  }
  for (const LayerNode& node : graph_.nodes())
    if (options_.zero_last_gamma && node.kind == LayerNode::Kind::convolution && node.second != LayerNode::none)
      std::ranges::fill(state.at(node.norm->gamma.name()).values, 0.0f);
  if (fan_in_) std::ranges::fill(state.at(head_ + ".bias").values, 0.0f);
  parameters_.load(state);
}

Features Network::forward(const Tensor& input, Mode mode, const std::vector<std::string>& taps) {
  require(input.shape().rank() == 4 && input.shape()[1] == options_.in_channels, options_.name, ": input ",
          input.shape(), " has not the ", options_.in_channels, " channels of the network");
  std::optional<Tape::Pause> pause;
  if (mode == Mode::inference) pause.emplace(input.context().tape());
  Taps wanted(taps);
  Features features;
  const auto mode_of = [&](const std::string& layer) {
    const auto block = static_cast<std::size_t>(block_of(layer + "."));
    return block < blocks_.size() && blocks_[block].frozen ? Mode::inference : mode;
  };
  features.logits = (*runner_)(input, mode_of, wanted);
  features.taps = wanted.kept();
  for (const std::string& name : taps)
    if (!features.taps.contains(name)) tap(name, input.shape()[2], input.shape()[3]);  // throws
  return features;
}

std::vector<Tap> Network::taps(int height, int width) const {
  require(height > 0 && width > 0, "taps: images of ", height, "x", width, " are out of range");
  const std::vector<Shape> shapes = graph_.output_shapes({options_.in_channels, height, width});
  std::vector<Tap> taps;
  for (const LayerGraph::TappedLayer& tapped : graph_.taps()) {
    const auto layer = static_cast<std::size_t>(tapped.layer);
    const bool pooled = graph_.nodes()[layer].kind == LayerNode::Kind::global_average_pool;
    const Shape& shape = shapes[layer];
    taps.push_back({tapped.name, pooled ? Shape{shape[0]} : shape, tapped.ends_stage, tapped.before_relu});
    if (!tapped.before_relu) continue;
    Tap& tap = taps.back();
    tap.norm = graph_.nodes()[layer].norm;
    tap.norm_follows = !tap.norm;
    if (tap.norm_follows) tap.norm = graph_.norm_after(tapped.layer);
  }
  return taps;
}

Tap Network::tap(const std::string& name, int height, int width) const {
  const std::vector<Tap> known = taps(height, width);
  for (const Tap& tap : known)
    if (names_tap(name, tap.name)) return tap;
  fail(ErrorKind::usage, options_.name, " has no tap ", name, "; it has ", tap_list(known));
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
