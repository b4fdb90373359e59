// kd: weight * T^2 KL(teacher || student) on softened outputs (Hinton et al. 2015); per label for multi-label data.
#include "models/transfer/method.h"

namespace preceptor {
namespace {

class Kd : public TransferMethod {
 public:
  using TransferMethod::TransferMethod;

  std::vector<Tensor> losses(const TransferInput& in) override {
    return {softened_loss(in, in.student.logits, in.teacher.logits, temperature_, weight_)};
  }

 private:
  const float temperature_ = settings_.real("temperature");
};

}  // namespace

// temperature 4 and weight 0.9, as is common on CIFAR-100.
MethodKind kd() {
  return {.name = "kd",
          .summary = "softened outputs of the teacher",
          .keys = {{"temperature", "4", MethodKey::Kind::positive, "softens both networks' outputs"},
                   {"weight", "0.9", MethodKey::Kind::fraction, "of the term; the labels get the rest"}},
          .by_image = true,
          .shares_with_labels = true,
          .make = make<Kd>};
}

}  // namespace preceptor
