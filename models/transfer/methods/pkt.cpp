// pkt: the probability of an image to have another as its neighbor (Passalis and Tefas 2018).
#include "models/transfer/feature_method.h"

namespace preceptor {
namespace {

class ProbabilisticTransfer : public FeatureMethod {
 public:
  using FeatureMethod::FeatureMethod;

 private:
  std::vector<Tensor> pair_losses(std::size_t, const Tensor& student, const Tensor& teacher) override {
    const auto cosines = [](const Tensor& map) {
      const Tensor rows = l2_normalize_rows(as_rows(map), {.epsilon = 1e-7f});
      return matmul_nt(rows, rows);
    };
    return {relational_loss(Relation::similarities, cosines(student), cosines(teacher), weight_)};
  }
};

}  // namespace

MethodKind pkt() {
  return {
      .name = "pkt",
      .summary = "which images are neighbors, as probabilities",
      .keys = with_taps("avgpool", {{"weight", "30000", MethodKey::Kind::weight, "of the term; the labels keep 1"}}),
      .make = make<ProbabilisticTransfer>};
}

}  // namespace preceptor
