// Values by name in plain order, as checkpoints hold them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/files/shape.h"

namespace preceptor {

struct PlainTensor {
  Shape shape;
  std::vector<float> values;
};
using StateDict = std::map<std::string, PlainTensor>;

}  // namespace preceptor
