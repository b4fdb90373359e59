// Densely connected networks (Huang et al. 2017) with torchvision's structure and parameter names, and narrow students.
#pragma once

#include "models/network.h"

namespace preceptor {

class DenseNet;

struct DenseNetArchitecture {
  using Model = DenseNet;
  int growth;               // channels that a layer adds; a multiple of 16, the widest channel block of a cpu
  int stem;                 // channels of the first block's input; a multiple of 16
  std::vector<int> layers;  // per block
  static constexpr int bottleneck = 4;  // channels between a layer's two convolutions / growth
  bool operator==(const DenseNetArchitecture&) const = default;
};

// A dense block's feature maps live in one tensor: every layer reads its first channels and adds the next ones, so
// activations and their gradients grow linearly with depth. Values between the convolutions are recomputed in the
// backward pass (batch_norm_convolution).
class DenseNet : public Network {
 public:
  static constexpr const char* head_name = "classifier";

  DenseNet(Context& context, const NetworkOptions& options, const DenseNetArchitecture& architecture);

 private:
  // Both read x [channels] and return the position of their output.
  int add_dense_layer(int x, const std::string& name, int channels, int growth);
  int add_transition(int x, const std::string& name, int channels);
  double initial_deviation(const Shape& convolution) const override;
  void adjust_initial(StateDict& state) const override;
};

}  // namespace preceptor
