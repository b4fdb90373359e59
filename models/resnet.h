// Residual networks (He et al. 2015) with torchvision's structure and parameter names, and narrow students.
#pragma once

#include <string>
#include <vector>

#include "models/layers.h"

namespace preceptor {

struct ResNetOptions {
  std::string name = "resnet18";  // see registry.h
  int in_channels = 3;
  int outputs = 1000;
  bool small_stem = false;       // 3x3 stride 1 without max pool, for images of 28 to 64 pixels
  bool zero_last_gamma = false;  // the last batch norm of every block starts at 0
};

// What a forward pass leaves: logits, and the output of every stage for feature methods.
struct Features {
  Tensor logits;               // [n, outputs]
  std::vector<Tensor> stages;  // outputs of layer1, layer2, ...
};

class ResNet {
 public:
  ResNet(Context& context, const ResNetOptions& options);

  // He initialisation (normal, fan out) from the seed; batch norms at 1 and 0; the classifier as torch's Linear.
  void initialize(std::uint64_t seed);

  // input [n, in_channels, h, w]. In training mode blocks use batch statistics unless frozen and record gradients.
  Features forward(const Tensor& input, Mode mode);

  // After the parameters changed, before the next forward pass in inference mode.
  void fold();

  // The first `count` blocks of the network no longer learn, and their batch norms use fixed statistics: block 1 is
  // the stem, then each stage ("layer1", ...) is one. The classifier always learns.
  void freeze(int count);
  int freezable_blocks() const;

  Parameters& parameters() { return parameters_; }
  const ResNetOptions& options() const { return options_; }

 private:
  struct Block {
    std::vector<ConvolutionBatchNorm> convolutions;  // 2 (basic) or 3 (bottleneck)
    std::vector<ConvolutionBatchNorm> shortcut;      // 0 or 1
  };
  struct Stage {
    std::string name;
    std::vector<Block> blocks;
    bool frozen = false;
  };
  Tensor run_block(Block& block, Tensor x, Mode mode);

  ResNetOptions options_;
  Parameters parameters_;
  std::vector<ConvolutionBatchNorm> stem_;  // one
  bool stem_frozen_ = false;
  std::vector<Stage> stages_;
  Parameter classifier_weight_, classifier_bias_;
};

}  // namespace preceptor
