// Helpers for ops that write into a channel range of a wider map.
#pragma once

#include "engine/ops.h"

namespace preceptor {

// Computes the channel statistics of x, if it keeps them.
void find_statistics(const Tensor& x);

}  // namespace preceptor
