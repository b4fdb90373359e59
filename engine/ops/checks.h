// Checks that several ops make of their inputs.
#pragma once

#include "engine/tensor.h"

namespace preceptor {

inline void require_matrix(const char* op, const Tensor& x) {
  require(x.shape().rank() == 2, op, ": ", x.shape(), " is not a matrix");
}

inline void require_map(const char* op, const Tensor& x) {
  require(x.shape().rank() == 4, op, ": ", x.shape(), " is not a feature map");
}

inline void require_equal(const char* op, const char* first, const Tensor& a, const char* second, const Tensor& b) {
  require(a.shape() == b.shape(), op, ": ", first, " ", a.shape(), " and ", second, " ", b.shape(), " differ");
}

}  // namespace preceptor
