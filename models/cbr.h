// The small convolutional networks of Raghu et al. 2019 (Transfusion): a chain of convolution, batch norm, ReLU and max
// pooling layers.
#pragma once

#include "models/network.h"

namespace preceptor {

// Convolutions have stride 1 and keep the size, pools are 3x3 with stride 2; global average pooling leads to the head.
struct CbrArchitecture {
  static constexpr const char* head_name = "fc";
  static constexpr bool fan_in = false;
  int kernel;               // size of every convolution, square, odd
  std::vector<int> widths;  // channels of each layer
  bool pool_after_last;     // all layers before it are pooled

  bool operator==(const CbrArchitecture&) const = default;
  void build(Network& network) const;
};

}  // namespace preceptor
