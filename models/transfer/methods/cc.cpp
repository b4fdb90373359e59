// cc: correlations between the images of a batch, by a Gaussian kernel to second order (Peng et al. 2019).
#include "models/transfer/feature_method.h"

namespace preceptor {
namespace {

class CorrelationCongruence : public FeatureMethod {
 public:
  using FeatureMethod::FeatureMethod;

 private:
  std::vector<Tensor> pair_losses(std::size_t, const Tensor& student, const Tensor& teacher) override {
    const auto products = [](const Tensor& map) {
      const Tensor rows = l2_normalize_rows(as_rows(map));
      return matmul_nt(rows, rows);
    };
    const Tensor own = products(student);
    return {pointwise_loss(PointwiseLossKind::correlation, own, products(teacher),
                           weight_ / static_cast<float>(own.shape().elements()), gamma_)};
  }

  const float gamma_ = settings_.real("gamma");
};

}  // namespace

MethodKind cc() {
  using Key = MethodKey::Kind;
  return {.name = "cc",
          .summary = "correlations between the images of a batch",
          .keys = with_taps("avgpool", {{"gamma", "0.4", Key::positive, "of the Gaussian kernel"},
                                        {"weight", "0.02", Key::weight, "of the term; the labels keep 1"}}),
          .make = make<CorrelationCongruence>};
}

}  // namespace preceptor
