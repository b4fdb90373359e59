// sp: which images of a batch have similar activations (Tung and Mori 2019).
#include "models/transfer/feature_method.h"
#include "models/transfer/methods.h"

namespace preceptor {
namespace {

class SimilarityPreserving : public FeatureMethod {
 public:
  SimilarityPreserving(const MethodSetup& setup, const MethodSettings& settings)
      : FeatureMethod(setup), weight_(settings.real("weight")) {
    read_pairs(setup, settings);
  }

  std::vector<Tensor> losses(const TransferInput& in) override {
    std::vector<Tensor> losses;
    const auto similarities = [](const Tensor& map) {
      const Tensor rows = as_rows(map);
      return l2_normalize_rows(matmul_nt(rows, rows));
    };
    for (std::size_t i = 0; i < student_taps_.size(); ++i)
      losses.push_back(mean_square(similarities(student_map(in, i)), similarities(teacher_map(in, i)), weight_));
    return losses;
  }

 private:
  float weight_;
};

}  // namespace

MethodKind sp() {
  return {.name = "sp",
          .summary = "similarities between the images of a batch",
          .keys = with_taps("last", {{"weight", "3000", MethodKey::Kind::weight, "of the term; the labels keep 1"}}),
          .make = make<SimilarityPreserving>};
}

}  // namespace preceptor
