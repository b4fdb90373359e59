// What filling channels of a wider map shares.
#pragma once

#include "engine/ops.h"

namespace preceptor {

// The moments of what x holds, where it has room for them.
void find_moments(const Tensor& x);

}  // namespace preceptor
