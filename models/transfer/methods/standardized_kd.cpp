// lskd: kd on standardized logits (Sun et al. 2024): the teacher's relations between outputs, not their size.
#include <cmath>

#include "models/transfer/method.h"

namespace preceptor {
namespace {

class StandardizedKd : public TransferMethod {
 public:
  using TransferMethod::TransferMethod;

  // For independent labels a row's mean says nothing: every label is standardized over the batch instead.
  std::vector<Tensor> losses(const TransferInput& in) override {
    const Tensor student = standardize(in.student.logits), teacher = standardize(in.teacher.logits);
    return {softened_loss(in, student, teacher, temperature_, weight_)};
  }

 private:
  Tensor standardize(const Tensor& logits) const {
    const int group = logits.shape()[multi_label_ ? 0 : 1];
    const L2NormalizeOptions options{.center = true, .scale = std::sqrt(static_cast<float>(std::max(group - 1, 1)))};
    return multi_label_ ? l2_normalize_columns(logits, options) : l2_normalize_rows(logits, options);
  }

  const float temperature_ = settings_.real("temperature");
};

}  // namespace

// Base temperature 2 and weight 9; the deviation is that of a sample (n - 1), as in the authors' code.
MethodKind standardized_kd() {
  return {.name = "lskd",
          .summary = "kd on logits scaled to mean 0 and deviation 1",
          .keys = {{"temperature", "2", MethodKey::Kind::positive, "softens the standardized outputs"},
                   {"weight", "9", MethodKey::Kind::weight, "of the term; the labels keep 1"}},
          .make = make<StandardizedKd>};
}

}  // namespace preceptor
