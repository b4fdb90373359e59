// Dropout with its gradient.
#include "kernels/dropout/dropout.h"

#include "engine/ops/launch.h"

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
    launch<kernels::Dropout>(from, to, context.step_state(), layer, probability);
  };
  drop(x, y);
  find_statistics(y);
  context.tape().record(y, x, drop);
  return y;
}

}  // namespace preceptor
