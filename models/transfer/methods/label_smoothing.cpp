// ls: label smoothing (Szegedy et al. 2016), the control without any teacher.
#include "models/transfer/method.h"

namespace preceptor {
namespace {

class LabelSmoothing : public TransferMethod {
 public:
  using TransferMethod::TransferMethod;

  // The divergence from the even distribution is the cross entropy with it less a constant, so a student that is even
  // costs nothing. Logits of a teacher that knows nothing are all alike.
  std::vector<Tensor> losses(const TransferInput& in) override {
    return {softened_loss(in, in.student.logits, label_logits(in.student.logits, in.labels, 0, 0), 1, weight_)};
  }
};

}  // namespace

MethodKind label_smoothing() {
  return {.name = "ls",
          .summary = "label smoothing, a control without a teacher",
          .keys = {{"weight", "0.1", MethodKey::Kind::fraction, "of the even distribution; the labels get the rest"}},
          .needs_teacher = false,
          .shares_with_labels = true,
          .make = make<LabelSmoothing>};
}

}  // namespace preceptor
