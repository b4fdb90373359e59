// Residual networks.
#include "models/resnet.h"

#include <cmath>
#include <numbers>
#include <optional>

#include "engine/random.h"
#include "models/architecture.h"

namespace preceptor {
namespace {

// Normal and uniform numbers by name and position, so that a parameter's start does not depend on its neighbours.
class Random {
 public:
  Random(std::uint64_t seed, const std::string& name) : seed_(seed) {
    for (unsigned char letter : name) stream_ = (stream_ ^ letter) * 0x100000001b3u;  // FNV-1a
  }
  double uniform(std::size_t i) const {  // in (0, 1)
    return (static_cast<double>(random_bits(seed_, stream_, i)[0]) + 0.5) * 0x1p-32;
  }
  double normal(std::size_t i) const {  // Box-Muller
    const auto bits = random_bits(seed_, stream_, i);
    const double u = (static_cast<double>(bits[0]) + 0.5) * 0x1p-32, v = static_cast<double>(bits[1]) * 0x1p-32;
    return std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
  }

 private:
  std::uint64_t seed_, stream_ = 0xcbf29ce484222325u;
};

}  // namespace

ResNet::ResNet(Context& context, const ResNetOptions& options) : options_(options), parameters_(context) {
  const ResNetArchitecture architecture = resnet_architecture(options);
  const int stem_width = architecture.widths[0];
  if (options.small_stem)
    stem_.emplace_back(parameters_, "conv1", "bn1", options.in_channels, stem_width, 3, 1, 1);
  else
    stem_.emplace_back(parameters_, "conv1", "bn1", options.in_channels, stem_width, 7, 2, 3);

  int channels = stem_width;
  for (std::size_t s = 0; s < architecture.widths.size(); ++s) {
    Stage stage{"layer" + std::to_string(s + 1), {}, false};
    const int width = architecture.widths[s], out = width * architecture.expansion();
    for (int b = 0; b < architecture.blocks[s]; ++b) {
      const std::string name = stage.name + "." + std::to_string(b);
      const int stride = b == 0 && s > 0 ? 2 : 1;
      Block block;
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
    stages_.push_back(std::move(stage));
  }
  classifier_weight_ = parameters_.add("fc.weight", {options.outputs, channels}, ParameterKind::plain);
  classifier_bias_ = parameters_.add("fc.bias", {options.outputs}, ParameterKind::plain);
}

void ResNet::initialize(std::uint64_t seed) {
  StateDict state = parameters_.state();
  for (auto& [name, tensor] : state) {
    const Random random(seed, name);
    const bool is_convolution = tensor.shape.rank() == 4;
    const bool is_classifier = name.starts_with("fc.");
    const bool is_one =
        !is_classifier && !is_convolution && (name.ends_with(".weight") || name.ends_with(".running_var"));
    double scale = 0;
    if (is_convolution) scale = std::sqrt(2.0 / (tensor.shape[0] * tensor.shape[2] * tensor.shape[3]));
    if (is_classifier) scale = 1 / std::sqrt(static_cast<double>(state.at("fc.weight").shape[1]));
    for (std::size_t i = 0; i < tensor.values.size(); ++i)
      tensor.values[i] = static_cast<float>(is_convolution  ? scale * random.normal(i)
                                            : is_classifier ? scale * (2 * random.uniform(i) - 1)
                                            : is_one        ? 1.0
                                                            : 0.0);
  }
  if (options_.zero_last_gamma)
    for (const Stage& stage : stages_)
      for (const Block& block : stage.blocks)
        for (float& value : state.at(block.convolutions.back().norm.gamma.name()).values) value = 0;
  parameters_.load(state);
}

Tensor ResNet::run_block(Block& block, Tensor x, Mode mode) {
  Tensor y = block.convolutions[0].forward(x, mode, true);
  for (std::size_t i = 1; i + 1 < block.convolutions.size(); ++i) y = block.convolutions[i].forward(y, mode, true);
  if (!block.shortcut.empty()) x = block.shortcut[0].forward(x, mode, false);
  return block.convolutions.back().forward(y, mode, true, std::move(x));
}

Features ResNet::forward(const Tensor& input, Mode mode) {
  require(input.shape().rank() == 4 && input.shape()[1] == options_.in_channels, options_.name, ": input ",
          input.shape(), " has not the ", options_.in_channels, " channels of the network");
  std::optional<Tape::Pause> pause;
  if (mode == Mode::inference) pause.emplace(input.context().tape());
  Tensor x = stem_[0].forward(input, stem_frozen_ ? Mode::inference : mode, true);
  if (!options_.small_stem) x = max_pool(x, 3, 2, 1);
  Features features;
  for (Stage& stage : stages_) {
    for (Block& block : stage.blocks) x = run_block(block, std::move(x), stage.frozen ? Mode::inference : mode);
    features.stages.push_back(x);
  }
  features.logits = linear(global_average_pool(x), classifier_weight_, classifier_bias_);
  return features;
}

void ResNet::fold() {
  stem_[0].fold();
  for (Stage& stage : stages_)
    for (Block& block : stage.blocks) {
      for (ConvolutionBatchNorm& layer : block.convolutions) layer.fold();
      for (ConvolutionBatchNorm& layer : block.shortcut) layer.fold();
    }
}

int ResNet::freezable_blocks() const { return 1 + static_cast<int>(stages_.size()); }

void ResNet::freeze(int count) {
  require(count >= 0 && count <= freezable_blocks(), "freeze: ", options_.name, " has ", freezable_blocks(),
          " blocks, not ", count);
  if (count == 0) return;
  stem_frozen_ = true;
  parameters_.freeze("conv1.");
  parameters_.freeze("bn1.");
  for (int i = 0; i + 1 < count; ++i) {
    Stage& stage = stages_[static_cast<std::size_t>(i)];
    stage.frozen = true;
    parameters_.freeze(stage.name + ".");
  }
  fold();
}

}  // namespace preceptor
