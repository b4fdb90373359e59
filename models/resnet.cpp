// Residual networks.
#include "models/resnet.h"

namespace preceptor {
ResNet::ResNet(Context& context, const NetworkOptions& options, const ResNetArchitecture& architecture)
    : Network(context, options, head_name), stem_(make_stem("conv1", "bn1", architecture.widths[0])) {
  add_block({"conv1.", "bn1."});
  int channels = architecture.widths[0];
  for (std::size_t s = 0; s < architecture.widths.size(); ++s) {
    Stage stage{"layer" + std::to_string(s + 1), {}};
    const int width = architecture.widths[s], out = width * architecture.expansion();
    for (int b = 0; b < architecture.blocks[s]; ++b) {
      const std::string name = stage.name + "." + std::to_string(b);
      const int stride = b == 0 && s > 0 ? 2 : 1;
      Block block{name, {}, {}};
      if (architecture.bottleneck) {
        block.convolutions.emplace_back(parameters_, name + ".conv1", name + ".bn1", channels, width, 1, 1, 0);
        block.convolutions.emplace_back(parameters_, name + ".conv2", name + ".bn2", width, width, 3, stride, 1);
        block.convolutions.emplace_back(parameters_, name + ".conv3", name + ".bn3", width, out, 1, 1, 0);
      } else {
        block.convolutions.emplace_back(parameters_, name + ".conv1", name + ".bn1", channels, width, 3, stride, 1);
        block.convolutions.emplace_back(parameters_, name + ".conv2", name + ".bn2", width, out, 3, 1, 1);
      }
      if (stride != 1 || channels != out)
        block.shortcut.emplace_back(parameters_, name + ".downsample.0", name + ".downsample.1", channels, out, 1,
                                    stride, 0);
      channels = out;
      stage.blocks.push_back(std::move(block));
    }
    add_block({stage.name + "."});
    stages_.push_back(std::move(stage));
  }
  add_head(channels);
}

void ResNet::adjust_initial(StateDict& state) const {
  if (!options().zero_last_gamma) return;
  for (const Stage& stage : stages_)
    for (const Block& block : stage.blocks)
      for (float& value : state.at(block.convolutions.back().norm.gamma.name()).values) value = 0;
}

Tensor ResNet::run_block(Block& block, Tensor x, Mode mode, Taps& taps) {
  std::vector<ConvolutionBatchNorm>& layers = block.convolutions;
  // Where a convolution can read behind a batch norm, nobody stores what lies between two of them: a sixth of what a
  // bottleneck keeps, a quarter of a basic block.
  const bool fuses = mode == Mode::train && x.context().fuses_batch_norms();
  Tensor y = fuses ? layers[0].convolve(x) : layers[0].forward(x, mode, true);
  for (std::size_t i = 1; i + 1 < layers.size(); ++i)
    y = fuses ? layers[i].convolve(y, &layers[i - 1].norm) : layers[i].forward(y, mode, true);
  if (!block.shortcut.empty()) x = block.shortcut[0].forward(x, mode, false);
  const std::string sum = block.name + ".sum";
  const bool tapped = taps.requested(sum);
  const ConvolutionBatchNorm& before_last = layers[layers.size() - 2];
  x = fuses ? batch_norm(layers.back().convolve(y, &before_last.norm), layers.back().norm, true, !tapped, x)
            : layers.back().forward(y, mode, !tapped, std::move(x));
  if (!tapped) return x;
  taps.record(sum, x);
  return relu(x);
}

Tensor ResNet::run(const Tensor& input, Mode mode, Taps& taps) {
  Tensor x = stem_.forward(input, mode_of(0, mode), true);
  taps.record("relu", x);
  if (!options().small_stem) {
    x = max_pool(x, 3, 2, 1);
    taps.record("maxpool", x);
  }
  for (std::size_t s = 0; s < stages_.size(); ++s) {
    for (Block& block : stages_[s].blocks) {
      x = run_block(block, std::move(x), mode_of(1 + s, mode), taps);
      taps.record(block.name, x);
    }
    taps.record(stages_[s].name, x);
  }
  return pool_and_classify(x, taps);
}

LayerGraph ResNet::layers() const {
  LayerGraph graph;
  int x = graph.convolution(LayerNode::network_input, stem_, true);
  graph.tap(x, "relu");
  if (!options().small_stem) {
    x = graph.max_pool(x, "maxpool", 3, 2, 1);
    graph.tap(x, "maxpool");
  }
  for (const Stage& stage : stages_) {
    for (const Block& block : stage.blocks) {
      int y = x;
      for (std::size_t i = 0; i + 1 < block.convolutions.size(); ++i)
        y = graph.convolution(y, block.convolutions[i], true);
      if (!block.shortcut.empty()) x = graph.convolution(x, block.shortcut[0], false);
      x = graph.convolution(y, block.convolutions.back(), true, x);
      graph.tap(x, block.name + ".sum", false, &block == &stage.blocks.back());
      graph.tap(x, block.name);
    }
    graph.tap(x, stage.name, true);
  }
  add_pool_and_classifier(graph, x);
  return graph;
}

void ResNet::fold() {
  stem_.fold();
  for (Stage& stage : stages_)
    for (Block& block : stage.blocks) {
      for (ConvolutionBatchNorm& layer : block.convolutions) layer.fold();
      for (ConvolutionBatchNorm& layer : block.shortcut) layer.fold();
    }
}

}  // namespace preceptor
