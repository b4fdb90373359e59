// pkt: the probability of an image to have another as its neighbor (Passalis and Tefas 2018).
#include "models/transfer/feature_method.h"
#include "models/transfer/methods.h"

namespace preceptor {
namespace {

class ProbabilisticTransfer : public FeatureMethod {
 public:
  ProbabilisticTransfer(const MethodSetup& setup, const MethodSettings& settings)
      : FeatureMethod(setup), weight_(settings.real("weight")) {
    read_pairs(setup, settings);
  }

  std::vector<Tensor> losses(const TransferInput& in) override {
    std::vector<Tensor> losses;
    const auto cosines = [](const Tensor& map) {
      const Tensor rows = l2_normalize_rows(as_rows(map), {.epsilon = 1e-7f});
      return matmul_nt(rows, rows);
    };
    for (std::size_t i = 0; i < student_taps_.size(); ++i)
      losses.push_back(
          relational_loss(Relation::similarities, cosines(student_map(in, i)), cosines(teacher_map(in, i)), weight_));
    return losses;
  }

 private:
  float weight_;
};

}  // namespace

MethodKind pkt() {
  return {
      .name = "pkt",
      .summary = "which images are neighbours, as probabilities",
      .keys = with_taps("avgpool", {{"weight", "30000", MethodKey::Kind::weight, "of the term; the labels keep 1"}}),
      .make = make<ProbabilisticTransfer>};
}

}  // namespace preceptor
