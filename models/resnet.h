// Residual networks (He et al. 2015) with torchvision's structure and parameter names, and narrow students.
#pragma once

#include "models/network.h"

namespace preceptor {

struct ResNetArchitecture {
  static constexpr const char* head_name = "fc";
  static constexpr bool fan_in = false;
  std::vector<int> widths;  // channels of each stage, before the expansion of bottlenecks
  std::vector<int> blocks;  // per stage
  bool bottleneck = false;

  int expansion() const { return bottleneck ? 4 : 1; }
  bool operator==(const ResNetArchitecture&) const = default;
  void build(Network& network) const;
};

}  // namespace preceptor
