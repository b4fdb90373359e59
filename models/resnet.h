// Residual networks (He et al. 2015) with torchvision's structure and parameter names, and narrow students.
#pragma once

#include "models/network.h"

namespace preceptor {

class ResNet;

struct ResNetArchitecture {
  using Model = ResNet;
  std::vector<int> widths;  // channels of each stage, before the expansion of bottlenecks
  std::vector<int> blocks;  // per stage
  bool bottleneck = false;

  int expansion() const { return bottleneck ? 4 : 1; }
  bool operator==(const ResNetArchitecture&) const = default;
};

class ResNet : public Network {
 public:
  static constexpr const char* head_name = "fc";

  ResNet(Context& context, const NetworkOptions& options, const ResNetArchitecture& architecture);

 private:
  // Adds a residual block and returns the position of its output.
  int add_residual_block(int x, const std::string& name, int in, int width, int out, int stride, bool ends_stage);
};

}  // namespace preceptor
