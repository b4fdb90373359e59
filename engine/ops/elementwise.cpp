// ReLU and sum.
#include "kernels/elementwise/elementwise.h"

#include "engine/ops.h"

namespace preceptor {

Tensor relu(const Tensor& x) {
  Context& context = x.context();
  Tensor y = context.empty(x.shape());
  context.run(kernels::ReluForward<float>{x.map(), y.map()});
  if (!context.tape().watches(x)) return y;
  context.tape().record(y, [x, value = y, &context](const Tensor& d_y) {
    const Tensor d_x = d_y.owns_alone() ? d_y : context.empty(x.shape());
    context.run(kernels::ReluBackward<float>{value.map(), d_y.map(), d_x.map()});
    context.tape().accumulate(x, d_x);
  });
  return y;
}

Tensor add(const Tensor& a, const Tensor& b) {
  require(a.shape() == b.shape(), "add: ", a.shape(), " and ", b.shape(), " differ");
  Context& context = a.context();
  Tensor sum = context.empty(a.shape());
  context.run(kernels::Add<float>{a.map(), b.map(), sum.map()});
  if (!context.tape().watches(a) && !context.tape().watches(b)) return sum;
  context.tape().record(sum, [a, b, &context](const Tensor& d_sum) {
    context.tape().accumulate(a, d_sum);
    context.tape().accumulate(b, d_sum);
  });
  return sum;
}

}  // namespace preceptor
