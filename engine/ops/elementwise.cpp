// ReLU and sum.
#include "kernels/elementwise/elementwise.h"

#include "engine/ops/launch.h"
#include "kernels/staged_copy/staged_copy.h"

namespace preceptor {
namespace {

// Records y. `backward` finds d_x from y and d_y, in the memory of d_y if nothing else reads that.
template <class Backward>
Tensor recorded(Tensor y, const Tensor& x, const Backward& backward) {
  Context& context = x.context();
  if (!context.tape().requires_grad(x)) return y;
  context.tape().record(y, [x, value = y, backward, &context](const Tensor& d_y) {
    const Tensor d_x = d_y.owns_alone() ? d_y : context.empty(x.shape());
    backward(value, d_y, d_x);
    context.tape().accumulate(x, d_x);
  });
  return y;
}

}  // namespace

Tensor relu(const Tensor& x) {
  const Tensor y = x.context().empty(x.shape());
  launch<kernels::ReluForward>(x, y);
  return recorded(y, x, launch<kernels::ReluBackward, Tensor, Tensor>);
}

Tensor leaky_relu(const Tensor& x, float slope) {
  require(slope > 0 && slope < 1, "leaky_relu: a slope of ", slope, " is not in (0, 1)");
  const Tensor y = x.context().empty(x.shape());
  launch<kernels::LeakyReluForward>(x, y, slope);
  return recorded(y, x.shape_only(), [slope](const Tensor& value, const Tensor& d_y, const Tensor& d_x) {
    launch<kernels::LeakyReluBackward>(value, d_y, d_x, slope);
  });
}

Tensor margin_relu(const Tensor& x, const Tensor& margins) {
  require(x.shape().rank() == 4 && margins.shape() == Shape{x.shape()[1]}, "margin_relu: map ", x.shape(),
          " and margins ", margins.shape(), " do not fit");
  const Tensor y = x.context().empty(x.shape());
  launch<kernels::MarginRelu>(x, y, margins);
  return y;
}

Tensor add(const Tensor& a, const Tensor& b) {
  require(a.shape() == b.shape(), "add: ", a.shape(), " and ", b.shape(), " differ");
  Context& context = a.context();
  Tensor sum = context.empty(a.shape());
  launch<kernels::Add>(a, b, sum);
  if (!context.tape().requires_grad(a) && !context.tape().requires_grad(b)) return sum;
  context.tape().record(sum, [a, b, &context](const Tensor& d_sum) {
    context.tape().accumulate(a, d_sum);
    context.tape().accumulate(b, d_sum);
  });
  return sum;
}

void copy_to_rows(const Tensor& x, const Tensor& rows, const std::int32_t* position) {
  launch<kernels::CopyToRow>(x, rows, position, static_cast<std::int64_t>(x.shape().elements()));
}

void accumulate_sum(const Tensor& values, double* total) {
  launch<kernels::AccumulateSum>(values, static_cast<int>(values.shape().elements()), total);
}

}  // namespace preceptor
