// sp: which images of a batch have similar activations (Tung and Mori 2019).
#include "models/transfer/feature_method.h"

namespace preceptor {
namespace {

class SimilarityPreserving : public FeatureMethod {
 public:
  using FeatureMethod::FeatureMethod;

 private:
  std::vector<Tensor> pair_losses(std::size_t, const Tensor& student, const Tensor& teacher) override {
    const auto similarities = [](const Tensor& map) {
      const Tensor rows = as_rows(map);
      return l2_normalize_rows(matmul_nt(rows, rows));
    };
    return {mean_square(similarities(student), similarities(teacher), weight_)};
  }
};

}  // namespace

MethodKind sp() {
  return {.name = "sp",
          .summary = "similarities between the images of a batch",
          .keys = with_taps("last", {{"weight", "3000", MethodKey::Kind::weight, "of the term; the labels keep 1"}}),
          .make = make<SimilarityPreserving>};
}

}  // namespace preceptor
