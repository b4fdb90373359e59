// Concatenation of channels in one map.
#include "engine/ops/launch.h"
#include "kernels/batch_norm/batch_norm.h"

namespace preceptor {

void find_statistics(const Tensor& x) {
  if (x.statistics()) launch<kernels::FindStatistics>(x, x.statistics(), nullptr);
}

Tensor copy_into(const Tensor& x, const Tensor& into) {
  require(x.shape().rank() == 4 && x.shape() == into.shape(), "copy_into: ", x.shape(), " does not fit into ",
          into.shape());
  Context& context = x.context();
  Tensor y = into;
  y.set_slot(-1);
  x.copy_to(y);
  if (x.statistics() && y.statistics())
    context.copy(y.statistics(), x.statistics(), x.shape()[1] * sizeof(kernels::ChannelStatistics));
  else
    find_statistics(y);
  // A copy, not the range itself: convolutions are fast only on maps without gaps.
  context.tape().record(y, x, [](const Tensor& d_y, const Tensor& d_x) { d_y.copy_to(d_x); });
  return y;
}

Tensor join_channels(const Tensor& first, const Tensor& second) {
  Context& context = first.context();
  Tensor y = first.joined_with(second);
  if (!context.tape().requires_grad(first) && !context.tape().requires_grad(second)) return y;
  context.tape().record(y, [a = first.shape_only(), b = second.shape_only(), &context](const Tensor& d_y) {
    const int channels = a.shape()[1];
    context.tape().accumulate(a, d_y.channels(0, channels));
    context.tape().accumulate(b, d_y.channels(channels, b.shape()[1]));
  });
  return y;
}

}  // namespace preceptor
