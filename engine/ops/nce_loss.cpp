// Contrast with a bank of embeddings, with its gradient.
#include "kernels/nce_loss/nce_loss.h"

#include "engine/ops.h"

namespace preceptor {
namespace {

static_assert(sizeof(int) == sizeof(float));
int* whole_numbers(const Tensor& tensor) { return static_cast<int*>(static_cast<void*>(tensor.data())); }

}  // namespace

Tensor draw_candidates(Context& context, const std::int32_t* positions, int rows, const NegativeSource& source,
                       int negatives) {
  require(positions != nullptr && rows > 0 && negatives > 0, "draw_candidates: ", negatives, " negatives for ", rows,
          " images");
  const Tensor index = context.empty({rows, 1 + negatives});
  context.run(kernels::DrawNegatives{positions, whole_numbers(source.order), whole_numbers(source.first),
                                     whole_numbers(source.excluded), context.step_state(), whole_numbers(index), rows,
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
  Context& context = anchors.context();
  const Tensor scores = context.empty({rows, count}), loss = context.empty({rows}),
               d_anchors = context.empty(anchors.shape());
  const int* index = whole_numbers(candidates);
  context.run(
      kernels::NceScores{anchors.data(), bank.value(), index, scores.data(), rows, columns, count, temperature});
  context.run(kernels::NceConstant{scores.data(), static_cast<std::int64_t>(scores.shape().elements()), images,
                                   constant.value()});
  context.run(kernels::NceLoss{scores.data(), index, bank.value(), constant.value(), loss.data(), d_anchors.data(),
                               rows, columns, count, images, temperature, static_cast<double>(weight) / rows});
  Tape& tape = context.tape();
  if (tape.watches(anchors))
    tape.record_loss(
        [target = anchors.shape_only(), d_anchors, &tape](const Tensor&) { tape.accumulate(target, d_anchors); });
  return loss;
}

void update_bank(const Parameter& bank, const Tensor& embeddings, const std::int32_t* positions, float momentum) {
  const Shape& shape = embeddings.shape();
  require(shape.rank() == 2 && bank.shape()[1] == shape[1], "update_bank: bank ", bank.shape(), " and embeddings ",
          shape, " do not fit");
  embeddings.context().run(
      kernels::UpdateBank{bank.value(), embeddings.data(), positions, shape[0], shape[1], momentum});
}

}  // namespace preceptor
