// The fusion of two maps with its gradient.
#include "kernels/attention_fusion/attention_fusion.h"

#include "engine/ops/launch.h"

namespace preceptor {

Tensor attention_fusion(const Tensor& x, const Tensor& y, const Tensor& attention) {
  const Shape& shape = x.shape();
  require(shape.rank() == 4 && y.shape() == shape && attention.shape() == Shape({shape[0], 2, shape[2], shape[3]}),
          "attention_fusion: maps ", shape, " and ", y.shape(), " and attention ", attention.shape(), " do not fit");
  Context& context = x.context();
  Tape& tape = context.tape();
  Tensor out = context.empty(shape);
  launch<kernels::AttentionFusion>(x, y, attention, out);
  if (!tape.requires_grad(x) && !tape.requires_grad(y) && !tape.requires_grad(attention)) return out;
  tape.record(out, [=, &context](const Tensor& d_out) {
    const Tensor d_x = context.empty(x.shape()), d_y = context.empty(x.shape()),
                 d_attention = context.empty(attention.shape());
    launch<kernels::AttentionFusionBackward>(x, y, attention, d_out, d_x, d_y, d_attention);
    context.tape().accumulate(x, d_x);
    context.tape().accumulate(y, d_y);
    context.tape().accumulate(attention, d_attention);
  });
  return out;
}

}  // namespace preceptor
