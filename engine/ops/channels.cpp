// Concatenation of channels in one map.
#include "engine/ops/channels.h"

#include "kernels/batch_norm/batch_norm.h"

namespace preceptor {

void find_statistics(const Tensor& x) {
  if (!x.statistics()) return;
  x.context().run_with_workspace(x.storage(), [&]<class T>(T) {
    return kernels::FindStatistics<T>{x.map<T>(), x.statistics(), nullptr};
  });
}

Tensor copy_into(const Tensor& x, const Tensor& into) {
  require(x.shape().rank() == 4 && x.shape() == into.shape(), "copy_into: ", x.shape(), " does not fit into ",
          into.shape());
  Context& context = x.context();
  Tensor y = into;
  y.set_slot(-1);
  x.copy_to(y);
  if (x.statistics() && y.statistics())
    context.run(kernels::Copy{y.statistics(), x.statistics(), x.shape()[1] * sizeof(kernels::ChannelStatistics)});
  else
    find_statistics(y);
  if (!context.tape().watches(x)) return y;
  // A copy, not the range itself: convolutions are fast on maps without gaps only.
  context.tape().record(y, [source = x.shape_only(), &context](const Tensor& d_y) {
    Tensor d_x = context.empty(source.shape(), source.storage());
    d_y.copy_to(d_x);
    context.tape().accumulate(source, std::move(d_x));
  });
  return y;
}

Tensor join_channels(const Tensor& first, const Tensor& second) {
  Context& context = first.context();
  Tensor y = first.joined_with(second);
  if (!context.tape().watches(first) && !context.tape().watches(second)) return y;
  context.tape().record(y, [a = first.shape_only(), b = second.shape_only(), &context](const Tensor& d_y) {
    const int channels = a.shape()[1];
    context.tape().accumulate(a, d_y.channels(0, channels));
    context.tape().accumulate(b, d_y.channels(channels, b.shape()[1]));
  });
  return y;
}

}  // namespace preceptor
