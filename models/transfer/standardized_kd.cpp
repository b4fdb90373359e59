// lskd: kd on standardized logits (Sun et al. 2024): the teacher's relations between outputs, not their size.
#include <cmath>

#include "models/transfer/methods.h"

namespace preceptor {
namespace {

class StandardizedKd : public TransferMethod {
 public:
  StandardizedKd(const MethodSetup& setup, const MethodSettings& settings)
      : TransferMethod(setup),
        multi_label_(setup.multi_label),
        temperature_(settings.real("temperature")),
        weight_(settings.real("weight")) {}

  // For independent labels a row's mean says nothing: every label is standardized over the batch instead.
  std::vector<Tensor> losses(const TransferInput& in) override {
    const Tensor student = standardize(in.student.logits), teacher = standardize(in.teacher.logits);
    if (multi_label_) return {softened_binary_kl(student, teacher, in.labels, temperature_, weight_)};
    return {softened_kl(student, teacher, temperature_, weight_)};
  }

 private:
  Tensor standardize(const Tensor& logits) const {
    const int group = logits.shape()[multi_label_ ? 0 : 1];
    const L2NormalizeOptions options{.center = true, .scale = std::sqrt(static_cast<float>(std::max(group - 1, 1)))};
    return multi_label_ ? l2_normalize_columns(logits, options) : l2_normalize_rows(logits, options);
  }

  bool multi_label_;
  float temperature_, weight_;
};

}  // namespace

// Base temperature 2 and weight 9; the deviation is that of a sample (n - 1), as in the authors' code.
MethodKind standardized_kd() {
  return {.name = "lskd",
          .summary = "kd on logits brought to mean 0 and deviation 1",
          .keys = {{"temperature", "2", MethodKey::Kind::positive, "softens the standardised outputs"},
                   {"weight", "9", MethodKey::Kind::weight, "of the term; the labels keep 1"}},
          .make = make<StandardizedKd>};
}

}  // namespace preceptor
