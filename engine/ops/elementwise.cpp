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

Tensor leaky_relu(const Tensor& x, float slope) {
  require(slope > 0 && slope < 1, "leaky_relu: a slope of ", slope, " is not in (0, 1)");
  Context& context = x.context();
  Tensor y = context.empty(x.shape());
  context.run(x.storage(), [&]<class T>(T) { return kernels::LeakyReluForward<T>{x.map<T>(), y.map<T>(), slope}; });
  if (!context.tape().watches(x)) return y;
  context.tape().record(y, [target = x.shape_only(), value = y, slope, &context](const Tensor& d_y) {
    const Tensor d_x = d_y.owns_alone() ? d_y : context.empty(target.shape());
    context.run(value.storage(), [&]<class T>(T) {
      return kernels::LeakyReluBackward<T>{value.map<T>(), d_y.map<T>(), d_x.map<T>(), slope};
    });
    context.tape().accumulate(target, d_x);
  });
  return y;
}

Tensor margin_relu(const Tensor& x, const Tensor& margins) {
  require(x.shape().rank() == 4 && margins.shape() == Shape{x.shape()[1]}, "margin_relu: map ", x.shape(),
          " and margins ", margins.shape(), " do not fit");
  Context& context = x.context();
  const Tensor y = context.empty(x.shape());
  context.run(x.storage(), [&]<class T>(T) { return kernels::MarginRelu<T>{x.map<T>(), y.map<T>(), margins.data()}; });
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
