// Dropout with its gradient.
#include "kernels/dropout/dropout.h"

#include "engine/ops/channels.h"

namespace preceptor {

Tensor dropout_into(const Tensor& x, float probability, int layer, const Tensor& into) {
  require(x.shape().rank() == 4 && x.shape() == into.shape(), "dropout: ", x.shape(), " does not fit into ",
          into.shape());
  require(probability >= 0 && probability < 1, "dropout: a probability of ", probability, " is not in [0, 1)");
  require(layer >= 0, "dropout: layer ", layer, " is negative");
  Context& context = x.context();
  Tensor y = into;
  y.set_slot(-1);
  const auto drop = [probability, layer, &context](const Tensor& from, const Tensor& to) {
    context.run(from.storage(), [&]<class T>(T) {
      return kernels::Dropout<T>{from.map<T>(), to.map<T>(), context.step_state(), layer, probability};
    });
  };
  drop(x, y);
  find_statistics(y);
  if (!context.tape().watches(x)) return y;
  context.tape().record(y, [source = x.shape_only(), drop, &context](const Tensor& d_y) {
    Tensor d_x = context.empty(source.shape());
    drop(d_y, d_x);
    context.tape().accumulate(source, std::move(d_x));
  });
  return y;
}

}  // namespace preceptor
