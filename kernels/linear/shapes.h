// What of a linear layer's launch on a GPU follows from its shape alone.
#pragma once

#include "kernels/device/split_k.h"
#include "kernels/linear/linear.h"

namespace preceptor::kernels {

// Columns of x that the gradient of the weights is multiplied with: none where only that of the bias is wanted.
template <class T>
int weight_columns(const LinearBackward<T>& a) {
  return a.d_weight ? a.in : 0;
}
template <class T>
SplitK split_of_weights(const LinearBackward<T>& a) {
  return split_of_gradient(a.out, weight_columns(a) + (a.d_bias ? 1 : 0), a.rows, sizeof(T));
}
template <class T>
SplitK split_of_d_x(const LinearBackward<T>& a) {
  return split_of_product(a.rows, a.in, a.out, sizeof(T));
}
template <class T>
SplitK split_of_y(const LinearForward<T>& a) {
  return split_of_product(a.rows, a.out, a.in, sizeof(T));
}

}  // namespace preceptor::kernels
