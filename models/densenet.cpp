// Densely connected networks.
#include "models/densenet.h"

#include <cmath>

namespace preceptor {
DenseNet::DenseNet(Context& context, const NetworkOptions& options, const DenseNetArchitecture& architecture)
    : Network(context, options, head_name),
      stem_(make_stem("features.conv0", "features.norm0", architecture.stem)),
      growth_(architecture.growth) {
  const int inner = DenseNetArchitecture::bottleneck * growth_;
  add_block({"features.conv0.", "features.norm0."});
  int channels = architecture.stem;
  for (std::size_t b = 0; b < architecture.layers.size(); ++b) {
    const std::string number = std::to_string(b + 1), block_name = "features.denseblock" + number + ".";
    std::vector<Layer> block;
    for (int l = 0; l < architecture.layers[b]; ++l) {
      const std::string name = block_name + "denselayer" + std::to_string(l + 1);
      BatchNormParameters norm1 = add_batch_norm(parameters_, name + ".norm1", channels);
      ConvolutionBatchNorm conv1(parameters_, name + ".conv1", name + ".norm2", channels, inner, 1, 1, 0);
      block.push_back({name, std::move(norm1), std::move(conv1),
                       parameters_.add(name + ".conv2.weight", {growth_, inner, 3, 3}, ParameterKind::convolution)});
      channels += growth_;
    }
    blocks_.push_back(std::move(block));
    if (b + 1 == architecture.layers.size()) {
      last_norm_ = add_batch_norm(parameters_, "features.norm5", channels);
      add_block({block_name, "features.norm5."});
      break;
    }
    const std::string name = "features.transition" + number;
    BatchNormParameters norm = add_batch_norm(parameters_, name + ".norm", channels);
    transitions_.push_back({std::move(norm), parameters_.add(name + ".conv.weight", {channels / 2, channels, 1, 1},
                                                             ParameterKind::convolution)});
    channels /= 2;
    add_block({block_name, name + "."});
  }
  add_head(channels);
}

// He et al. 2015b with fan in, as torchvision.
double DenseNet::initial_deviation(const Shape& convolution) const {
  return std::sqrt(2.0 / (convolution[1] * convolution[2] * convolution[3]));
}

void DenseNet::adjust_initial(StateDict& state) const {
  for (float& value : state.at("classifier.bias").values) value = 0;
}

Tensor DenseNet::run_layer(Layer& layer, const Tensor& x, Mode mode) {
  if (mode == Mode::train) {
    const Tensor bottleneck = batch_norm_convolution(x, layer.norm1, layer.conv1.weight, {.statistics = true});
    const bool statistics = options().dropout == 0;  // else those of what dropout leaves count
    return batch_norm_convolution(bottleneck, layer.conv1.norm, layer.conv2, {.padding = 1, .statistics = statistics});
  }
  const Tensor bottleneck = layer.conv1.forward(batch_norm(x, layer.norm1, false, true), mode, true);
  return convolution(bottleneck, layer.conv2, nullptr, {.padding = 1});
}

Tensor DenseNet::run(const Tensor& input, Mode mode, Taps& taps) {
  Context& context = input.context();
  Tensor x = stem_.forward(input, mode_of(0, mode), true);
  taps.record("features.relu0", x);
  if (!options().small_stem) {
    x = max_pool(x, 3, 2, 1);
    taps.record("features.pool0", x);
  }
  int depth = options().first_dropout;  // and layers so far
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    const Mode block_mode = mode_of(1 + b, mode);
    const bool drops = block_mode == Mode::train && options().dropout > 0;
    const std::string number = std::to_string(b + 1);
    const int added = growth_ * static_cast<int>(blocks_[b].size());
    int channels = x.shape()[1];
    Tensor maps = context.empty({x.shape()[0], channels + added, x.shape()[2], x.shape()[3]});
    if (block_mode == Mode::train) maps.keep_statistics();
    x = copy_into(x, maps.channels(0, channels));
    for (Layer& layer : blocks_[b]) {
      const Tensor added_maps = run_layer(layer, x, block_mode), place = maps.channels(channels, growth_);
      taps.record(layer.name + ".conv2", added_maps);
      x = join_channels(
          x, drops ? dropout_into(added_maps, options().dropout, depth, place) : copy_into(added_maps, place));
      channels += growth_;
      ++depth;
    }
    taps.record("features.denseblock" + number, x);
    if (b == transitions_.size()) {
      x = batch_norm(x, last_norm_, block_mode == Mode::train, true);
      continue;
    }
    Transition& transition = transitions_[b];
    x = block_mode == Mode::train
            ? batch_norm_convolution(x, transition.norm, transition.weight, {})
            : convolution(batch_norm(x, transition.norm, false, true), transition.weight, nullptr, {});
    x = average_pool(x, 2, 2, 0);
    taps.record("features.transition" + number, x);
  }
  return pool_and_classify(x, taps);
}

LayerGraph DenseNet::layers() const {
  LayerGraph graph;
  int x = graph.convolution(LayerNode::network_input, stem_, true);
  graph.tap(x, "features.relu0");
  if (!options().small_stem) {
    x = graph.max_pool(x, "features.pool0", 3, 2, 1);
    graph.tap(x, "features.pool0");
  }
  for (std::size_t b = 0; b < blocks_.size(); ++b) {
    const std::string number = std::to_string(b + 1), block_name = "features.denseblock" + number;
    x = graph.copy(x, block_name + ".input");
    for (const Layer& layer : blocks_[b]) {
      const int bottleneck = graph.batch_norm_convolution(x, layer.norm1, layer.conv1.weight, 0);
      const int piece = graph.batch_norm_convolution(bottleneck, layer.conv1.norm, layer.conv2, 1);
      graph.tap(piece, layer.name + ".conv2");
      x = graph.concatenation(x, piece, layer.name);
    }
    graph.tap(x, block_name, true, true);
    if (b == transitions_.size()) {
      x = graph.batch_norm(x, last_norm_);
      continue;
    }
    x = graph.batch_norm_convolution(x, transitions_[b].norm, transitions_[b].weight, 0);
    x = graph.average_pool(x, "features.transition" + number + ".pool", 2, 2);
    graph.tap(x, "features.transition" + number);
  }
  add_pool_and_classifier(graph, x);
  return graph;
}

void DenseNet::fold() {
  stem_.fold();
  for (std::vector<Layer>& block : blocks_)
    for (Layer& layer : block) layer.conv1.fold();
}

}  // namespace preceptor
