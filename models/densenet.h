// Densely connected networks (Huang et al. 2017) with torchvision's structure and parameter names, and narrow students.
#pragma once

#include "models/network.h"

namespace preceptor {

// A dense block's feature maps live in one tensor: every layer reads its first channels and adds the next ones, so
// activations and their gradients grow linearly with depth. Values between the convolutions are recomputed in the
// backward pass (batch_norm_convolution).
struct DenseNetArchitecture {
  static constexpr const char* head_name = "classifier";
  static constexpr bool fan_in = true;
  static constexpr int bottleneck = 4;  // channels between a layer's two convolutions / growth
  int growth;               // channels that a layer adds; a multiple of 16, the widest channel block of a cpu
  int stem;                 // channels of the first block's input; a multiple of 16
  std::vector<int> layers;  // per block

  bool operator==(const DenseNetArchitecture&) const = default;
  void build(Network& network) const;
};

}  // namespace preceptor
