// Launches of kernels on tensors, and what several ops share: checks, losses with their derivative, statistics.
#pragma once

#include <type_traits>

#include "engine/ops.h"

namespace preceptor {

// A tensor as a member of a kernel's arguments: the map or the pointer that the member is.
struct TensorArgument {
  const Tensor& tensor;

  template <class T>
  operator kernels::FeatureMap<T>() const {
    return tensor.map<std::remove_const_t<T>>();
  }
  template <class T>
  operator T*() const {
    return tensor.data<std::remove_const_t<T>>();
  }
};
inline TensorArgument argument(const Tensor& tensor) { return {tensor}; }
template <class Value>
const Value& argument(const Value& value) {
  return value;
}

// One launch with these tensors and values, in the order of the kernel's members. The first tensor gives the storage
// type and the stream: launch<kernels::ReluForward>(x, y).
template <template <class> class Kernel, class... Values>
void launch(const Tensor& first, const Values&... values) {
  first.context().run(first.storage(), [&]<class T>(T) { return Kernel<T>{argument(first), argument(values)...}; });
}
// The same for a kernel of one type: launch<kernels::Softmax<float>>(logits, probabilities, rows, classes).
template <class Kernel, class... Values>
void launch(const Tensor& first, const Values&... values) {
  first.context().run(Kernel{argument(first), argument(values)...});
}

// A loss of every row, or image, of x and its derivative by x, which one kernel writes.
struct RowLoss {
  const Tensor& x;
  Tensor values = x.context().empty({x.shape()[0]}), d_x = x.context().empty(x.shape(), x.storage());

  // The values, after the tape knows the derivative.
  Tensor recorded() const {
    x.context().tape().record_loss(x, d_x);
    return values;
  }
};

inline void require_matrix(const char* op, const Tensor& x) {
  require(x.shape().rank() == 2, op, ": ", x.shape(), " is not a matrix");
}

inline void require_map(const char* op, const Tensor& x) {
  require(x.shape().rank() == 4, op, ": ", x.shape(), " is not a feature map");
}

inline void require_equal(const char* op, const char* first, const Tensor& a, const char* second, const Tensor& b) {
  require(a.shape() == b.shape(), op, ": ", first, " ", a.shape(), " and ", second, " ", b.shape(), " differ");
}

// Computes the channel statistics of x, if it keeps them.
void find_statistics(const Tensor& x);

}  // namespace preceptor
