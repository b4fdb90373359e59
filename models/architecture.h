// The numbers behind a model's name: widths, blocks per stage, kind of block.
#pragma once

#include <vector>

#include "models/resnet.h"

namespace preceptor {

struct ResNetArchitecture {
  std::vector<int> widths;  // channels of each stage, before the expansion of bottlenecks
  std::vector<int> blocks;  // per stage
  bool bottleneck = false;

  int expansion() const { return bottleneck ? 4 : 1; }
};

// Errors: usage, for an unknown name (the valid ones are listed), channels or outputs.
ResNetArchitecture resnet_architecture(const ResNetOptions& options);

}  // namespace preceptor
