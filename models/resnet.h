// Residual networks (He et al. 2015) with torchvision's structure and parameter names, and narrow students.
#pragma once

#include "models/network.h"

namespace preceptor {

struct ResNetArchitecture {
  std::vector<int> widths;  // channels of each stage, before the expansion of bottlenecks
  std::vector<int> blocks;  // per stage
  bool bottleneck = false;

  int expansion() const { return bottleneck ? 4 : 1; }
};

class ResNet : public Network {
 public:
  static constexpr const char* head_name = "fc";

  ResNet(Context& context, const NetworkOptions& options, const ResNetArchitecture& architecture);

  void fold() override;
  LayerGraph layers() const override;

 private:
  struct Block {
    std::string name;                                // "layer1.0"
    std::vector<ConvolutionBatchNorm> convolutions;  // 2 (basic) or 3 (bottleneck)
    std::vector<ConvolutionBatchNorm> shortcut;      // 0 or 1
  };
  struct Stage {
    std::string name;  // "layer1"
    std::vector<Block> blocks;
  };

  Tensor run(const Tensor& input, Mode mode, Taps& taps) override;
  Tensor run_block(Block& block, Tensor x, Mode mode, Taps& taps);
  void adjust_initial(StateDict& state) const override;

  ConvolutionBatchNorm stem_;
  std::vector<Stage> stages_;
};

}  // namespace preceptor
