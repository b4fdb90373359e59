// tfkd: distillation from a designed teacher (Yuan et al. 2020, Tf-KD_reg), a control without a real one.
#include <cmath>

#include "models/transfer/method.h"

namespace preceptor {
namespace {

class TeacherFreeKd : public TransferMethod {
 public:
  TeacherFreeKd(const MethodSetup& setup, const MethodSettings& settings) : TransferMethod(setup, settings) {
    require(correct_ > 0 && correct_ < 1, "--method tfkd: correct is a probability between 0 and 1");
  }

  // The teacher gives `correct` to the label and the rest to all others alike. Softening at T takes logits: the paper's
  // are the logs of these probabilities; the released code takes the probabilities themselves. The paper's term has no
  // factor T^2, which softened_kl has.
  std::vector<Tensor> losses(const TransferInput& in) override {
    const int classes = multi_label_ ? 2 : in.student.logits.shape()[1];
    const float rest = (1 - correct_) / static_cast<float>(classes - 1);
    float of_label = released_ ? correct_ : std::log(correct_), of_others = released_ ? rest : std::log(rest);
    const float weight = weight_ / (temperature_ * temperature_);
    if (multi_label_) {  // the logit of yes against no
      of_label -= of_others;
      of_others = -of_label;
    }
    const Tensor teacher = label_logits(in.student.logits, in.labels, of_label, of_others);
    return {softened_loss(in, in.student.logits, teacher, temperature_, weight)};
  }

 private:
  const bool released_ = settings_.text("reading") == "released";
  const float correct_ = settings_.real("correct"), temperature_ = settings_.real("temperature");
};

}  // namespace

MethodKind teacher_free_kd() {
  using Key = MethodKey::Kind;
  return {.name = "tfkd",
          .summary = "a designed teacher that is nearly sure of the label, a control without a real one",
          .keys = {{"reading",
                    "paper",
                    Key::choice,
                    "logs of the designed probabilities are softened, or they",
                    {"paper", "released"}},
                   {"correct", "0.99", Key::fraction, "probability of the label"},
                   {"temperature", "20", Key::positive, "softens both"},
                   {"weight", "0.1", Key::fraction, "of the term; the labels get the rest"}},
          .needs_teacher = false,
          .shares_with_labels = true,
          .takes_mixtures = false,
          .make = make<TeacherFreeKd>};
}

}  // namespace preceptor
