// What filling channels of a wider map shares.
#pragma once

#include "engine/ops.h"

namespace preceptor {

// The statistics of what x holds, where it has room for them.
void find_statistics(const Tensor& x);

}  // namespace preceptor
