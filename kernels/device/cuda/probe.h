// Tells whether the code that nvcc made for this program can run on a device, without running any.
#pragma once

#include <string>

namespace preceptor::kernels::cuda {

bool holds_code_for_this_card();
std::string built_for();  // "8.0, 9.0"

}  // namespace preceptor::kernels::cuda
