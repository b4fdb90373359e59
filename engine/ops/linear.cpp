// The fully connected layer.
#include "kernels/linear/linear.h"

#include "engine/ops/launch.h"

namespace preceptor {

Tensor linear(const Tensor& x, const Parameter& weight, const Parameter& bias) {
  require(x.shape().rank() == 2 && weight.shape().rank() == 2 && x.shape()[1] == weight.shape()[1], "linear: input ",
          x.shape(), " does not fit weights ", weight.shape());
  require(bias.shape() == Shape{weight.shape()[0]}, "linear: bias ", bias.shape(), " does not fit weights ",
          weight.shape());
  Context& context = x.context();
  const int rows = x.shape()[0], in = x.shape()[1], out = weight.shape()[0];
  Tensor y = context.empty({rows, out});
  launch<kernels::LinearForward<float>>(x, weight.value(), bias.value(), y, rows, in, out);
  const bool recording = context.tape().recording();
  const bool want_weight = recording && weight.requires_grad(), want_bias = recording && bias.requires_grad();
  const bool want_x = context.tape().requires_grad(x);
  if (!want_weight && !want_bias && !want_x) return y;
  context.tape().record(y, [=, &context](const Tensor& d_y) {
    const Tensor d_x = want_x ? context.empty(x.shape()) : Tensor();
    launch<kernels::LinearBackward<float>>(x, weight.value(), d_y, d_x, want_weight ? weight.gradient() : nullptr,
                                           want_bias ? bias.gradient() : nullptr, rows, in, out);
    if (want_x) context.tape().accumulate(x, d_x);
  });
  return y;
}

}  // namespace preceptor
