// dkd: decoupled distillation (Zhao et al. 2022): separate weights for the teacher's view of the label and of the
// other classes.
#include "models/transfer/method.h"

namespace preceptor {
namespace {

class Dkd : public TransferMethod {
 public:
  using TransferMethod::TransferMethod;

  // A label's two outcomes leave nothing beside the target: the part of the others is 0 whatever the networks say. So
  // for independent labels alpha weights the labels that an image has, and beta those that it has not.
  std::vector<Tensor> losses(const TransferInput& in) override {
    if (multi_label_)
      return {
          softened_binary_kl(in.student.logits, in.teacher.logits, in.labels, temperature_, weight_, alpha_, beta_)};
    return {decoupled_kl(in.student.logits, in.teacher.logits, in.labels, temperature_, alpha_, beta_, weight_)};
  }

 private:
  const float temperature_ = settings_.real("temperature");
  const float alpha_ = settings_.real("alpha"), beta_ = settings_.real("beta");
};

}  // namespace

// The paper's values for CIFAR-100. Its code grows the weight over 20 epochs.
MethodKind dkd() {
  using Key = MethodKey::Kind;
  return {.name = "dkd",
          .summary = "the teacher's view of the label and of the other classes, apart",
          .keys = {{"temperature", "4", Key::positive, "softens both networks' outputs"},
                   {"alpha", "1", Key::weight, "of the label's part; multi-label: of labels that are 1"},
                   {"beta", "8", Key::weight, "of the other classes' part; multi-label: of labels that are 0"},
                   {"weight", "1", Key::weight, "of the whole term"},
                   {"warmup", "20", Key::weight, "epochs in which the weight grows"}},
          .by_image = true,
          .takes_mixtures = false,
          .make = make<Dkd>};
}

}  // namespace preceptor
