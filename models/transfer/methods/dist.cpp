// dist: correlations of softened outputs, those of an image over the classes and those of a class over the images
// (Huang et al. 2022).
#include "models/transfer/method.h"

namespace preceptor {
namespace {

class Dist : public TransferMethod {
 public:
  using TransferMethod::TransferMethod;

  // 1 - Pearson's correlation is half the squared distance of the two after centering and scaling to unit length.
  std::vector<Tensor> losses(const TransferInput& in) override {
    const Tensor student = temperature_softmax(in.student.logits, temperature_, multi_label_);
    const Tensor teacher = temperature_softmax(in.teacher.logits, temperature_, multi_label_);
    const float scale = weight_ * temperature_ * temperature_ / 2;
    const float rows = static_cast<float>(student.shape()[0]), columns = static_cast<float>(student.shape()[1]);
    const L2NormalizeOptions centered{.center = true};
    return {pointwise_loss(PointwiseLossKind::square, l2_normalize_rows(student, centered),
                           l2_normalize_rows(teacher, centered), scale * beta_ / rows),
            pointwise_loss(PointwiseLossKind::square, l2_normalize_columns(student, centered),
                           l2_normalize_columns(teacher, centered), scale * gamma_ / columns)};
  }

 private:
  const float temperature_ = settings_.real("temperature");
  const float beta_ = settings_.real("beta"), gamma_ = settings_.real("gamma");
};

}  // namespace

MethodKind dist() {
  using Key = MethodKey::Kind;
  return {.name = "dist",
          .summary = "correlations of outputs, over classes and over images",
          .keys = {{"temperature", "4", Key::positive, "softens both networks' outputs"},
                   {"beta", "1", Key::weight, "of the correlations of an image over the classes"},
                   {"gamma", "1", Key::weight, "of the correlations of a class over the images"},
                   {"weight", "1", Key::weight, "of the term; the labels keep 1"}},
          .make = make<Dist>};
}

}  // namespace preceptor
