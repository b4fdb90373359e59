// ls: label smoothing (Szegedy et al. 2016), the control without any teacher.
#include "models/transfer/method.h"

namespace preceptor {
namespace {

class LabelSmoothing : public TransferMethod {
 public:
  LabelSmoothing(const MethodSetup& setup, const MethodSettings& settings)
      : TransferMethod(setup), multi_label_(setup.multi_label), weight_(settings.real("weight")) {}

  // The divergence from the even distribution is the cross entropy with it less a constant, so a student that is even
  // costs nothing. Logits of a teacher that knows nothing are all alike.
  std::vector<Tensor> losses(const TransferInput& in) override {
    const Tensor even = label_logits(in.student.logits, in.labels, 0, 0);
    if (multi_label_) return {softened_binary_kl(in.student.logits, even, in.labels, 1, weight_)};
    return {softened_kl(in.student.logits, even, 1, weight_)};
  }

 private:
  bool multi_label_;
  float weight_;
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
