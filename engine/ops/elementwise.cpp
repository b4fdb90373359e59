// ReLU and sum.
#include "kernels/elementwise/elementwise.h"

#include "engine/ops.h"

namespace preceptor {

Tensor relu(const Tensor& x) {
  Context& context = x.context();
  Tensor y = context.empty(x.shape());
  context.run(x.storage(), [&]<class T>(T) { return kernels::ReluForward<T>{x.map<T>(), y.map<T>()}; });
  if (!context.tape().watches(x)) return y;
  context.tape().record(y, [x, value = y, &context](const Tensor& d_y) {
    const Tensor d_x = d_y.owns_alone() ? d_y : context.empty(x.shape());
    context.run(x.storage(), [&]<class T>(T) {
      return kernels::ReluBackward<T>{value.map<T>(), d_y.map<T>(), d_x.map<T>()};
    });
    context.tape().accumulate(x, d_x);
  });
  return y;
}

Tensor add(const Tensor& a, const Tensor& b) {
  require(a.shape() == b.shape(), "add: ", a.shape(), " and ", b.shape(), " differ");
  Context& context = a.context();
  Tensor sum = context.empty(a.shape());
  context.run(a.storage(), [&]<class T>(T) { return kernels::Add<T>{a.map<T>(), b.map<T>(), sum.map<T>()}; });
  if (!context.tape().watches(a) && !context.tape().watches(b)) return sum;
  context.tape().record(sum, [a, b, &context](const Tensor& d_sum) {
    context.tape().accumulate(a, d_sum);
    context.tape().accumulate(b, d_sum);
  });
  return sum;
}

}  // namespace preceptor
