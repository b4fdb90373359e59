// The table of a network's layers: sizes, parameters, operations and the memory kept for the gradient.
#pragma once

#include <string>
#include <vector>

#include "models/network.h"

namespace preceptor {

struct LayerRow {
  std::string name, kind;
  Shape output;  // for one image
  std::size_t parameters = 0;
  double operations = 0;             // multiply-adds count two, forward, one image
  std::size_t activation_bytes = 0;  // kept for the gradient, one image
};

// One row per layer for images of the given size, in the order of a forward pass. Errors: usage, for a size below 1.
std::vector<LayerRow> layer_table(const Network& network, int height, int width);

}  // namespace preceptor
