// Noise-contrastive loss against a bank of embeddings, with its gradient.
#include "kernels/nce_loss/nce_loss.h"

#include "engine/ops/launch.h"

namespace preceptor {

static_assert(sizeof(int) == sizeof(float), "tensors of floats hold whole numbers");

Tensor draw_candidates(Context& context, const std::int32_t* positions, int rows, const NegativeSource& source,
                       int negatives) {
  require(positions != nullptr && rows > 0 && negatives > 0, "draw_candidates: ", negatives, " negatives for ", rows,
          " images");
  const Tensor index = context.empty({rows, 1 + negatives});
  context.run(kernels::DrawNegatives{positions, source.order.data<int>(), source.first.data<int>(),
                                     source.excluded.data<int>(), context.step_state(), index.data<int>(), rows,
                                     negatives, source.order.shape()[0]});
  return index;
}

Tensor nce_loss(const Tensor& anchors, const Parameter& bank, const Tensor& candidates, const Parameter& constant,
                double temperature, float weight) {
  const int rows = anchors.shape()[0], columns = anchors.shape()[1], images = bank.shape()[0],
            count = candidates.shape()[1];
  require(anchors.shape().rank() == 2 && bank.shape()[1] == columns && candidates.shape()[0] == rows &&
              columns <= kernels::most_nce_columns,
          "nce_loss: anchors ", anchors.shape(), ", bank ", bank.shape(), " and candidates ", candidates.shape(),
          " do not fit");
  const Tensor scores = anchors.context().empty({rows, count});
  const RowLoss loss{anchors};
  launch<kernels::NceScores>(anchors, bank.value(), candidates, scores, rows, columns, count, temperature);
  launch<kernels::NceConstant>(scores, static_cast<std::int64_t>(scores.shape().elements()), images, constant.value());
  launch<kernels::NceLoss>(scores, candidates, bank.value(), constant.value(), loss.values, loss.d_x, rows, columns,
                           count, images, temperature, static_cast<double>(weight) / rows);
  return loss.recorded();
}

void update_bank(const Parameter& bank, const Tensor& embeddings, const std::int32_t* positions, float momentum) {
  const Shape& shape = embeddings.shape();
  require(shape.rank() == 2 && bank.shape()[1] == shape[1], "update_bank: bank ", bank.shape(), " and embeddings ",
          shape, " do not fit");
  embeddings.context().run(
      kernels::UpdateBank{bank.value(), embeddings.data(), positions, shape[0], shape[1], momentum});
}

}  // namespace preceptor
