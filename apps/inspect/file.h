// What a file of weights holds, for preceptor-inspect.
#pragma once

#include <string>

namespace preceptor {

// Prints format, metadata, tensors and the network they look like, as a table or one JSON object. Errors: those of
// load_weights; NaN is shown, not refused.
void inspect_file(const std::string& path, bool json);

}  // namespace preceptor
