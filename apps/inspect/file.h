// The contents of a file of weights, for preceptor-inspect.
#pragma once

#include <string>

#include "engine/files/shape.h"

namespace preceptor {

// Prints format, metadata, tensors and the network they look like, as a table or one JSON object. Errors: those of
// load_weights; NaN is shown, not refused.
void inspect_file(const std::string& path, bool json);

// "64x3x7x7"; empty without dimensions.
std::string sizes_text(const Shape& shape);

}  // namespace preceptor
