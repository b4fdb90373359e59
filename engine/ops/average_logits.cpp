// Several teachers' logits as one.
#include "kernels/average_logits/average_logits.h"

#include "engine/ops/launch.h"

namespace preceptor {

Tensor average_logits(const std::vector<Tensor>& logits, const Tensor& weights, bool multi_label) {
  const int members = static_cast<int>(logits.size());
  require(members >= 1 && members <= kernels::most_members, "average_logits: ", members, " teachers, not 1 to ",
          kernels::most_members);
  const Shape shape = logits.front().shape();
  require(shape.rank() == 2 && weights.shape() == Shape{members, shape[1]}, "average_logits: ", members,
          " times logits ", shape, " and weights ", weights.shape(), " do not fit");
  Context& context = logits.front().context();
  const Tensor all = context.empty({members, shape[0], shape[1]}), combined = context.empty(shape);
  float* next = all.data();
  for (const Tensor& member : logits) {
    require(member.shape() == shape, "average_logits: logits ", shape, " and ", member.shape(), " differ");
    context.copy(next, member.data(), shape.elements() * sizeof(float));
    next += shape.elements();
  }
  launch<kernels::AverageLogits<float>>(all, weights, combined, members, shape[0], shape[1], multi_label);
  return combined;
}

}  // namespace preceptor
