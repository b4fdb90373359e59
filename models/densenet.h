// Densely connected networks (Huang et al. 2017) with torchvision's structure and parameter names, and narrow students.
#pragma once

#include "models/network.h"

namespace preceptor {

struct DenseNetArchitecture {
  int growth;               // channels that a layer adds; a multiple of 16, the widest channel block of a cpu
  int stem;                 // channels of the first block's input; a multiple of 16
  std::vector<int> layers;  // of each block
  static constexpr int bottleneck = 4;  // channels between a layer's two convolutions, by growth
};

// A dense block's feature maps live in one tensor: every layer reads its first channels and adds the next ones, so
// activations and their gradients grow linearly with depth. What stands between the convolutions is computed again in
// the backward pass (batch_norm_convolution).
class DenseNet : public Network {
 public:
  static constexpr const char* head_name = "classifier";

  DenseNet(Context& context, const NetworkOptions& options, const DenseNetArchitecture& architecture);

  void fold() override;
  LayerGraph layers() const override;

 private:
  struct Layer {
    std::string name;  // "features.denseblock1.denselayer1"
    BatchNormParameters norm1;
    ConvolutionBatchNorm conv1;  // with norm2 behind it
    Parameter conv2;
  };
  struct Transition {
    BatchNormParameters norm;
    Parameter weight;
  };

  Tensor run(const Tensor& input, Mode mode, Taps& taps) override;
  Tensor run_layer(Layer& layer, const Tensor& x, Mode mode);
  double initial_deviation(const Shape& convolution) const override;
  void adjust_initial(StateDict& state) const override;

  ConvolutionBatchNorm stem_;
  std::vector<std::vector<Layer>> blocks_;
  std::vector<Transition> transitions_;  // one between every two blocks
  BatchNormParameters last_norm_;
  int growth_;
};

}  // namespace preceptor
