// cc: correlations between the images of a batch, by a Gaussian kernel to second order (Peng et al. 2019).
#include "models/transfer/feature_method.h"
#include "models/transfer/methods.h"

namespace preceptor {
namespace {

class CorrelationCongruence : public FeatureMethod {
 public:
  CorrelationCongruence(const MethodSetup& setup, const MethodSettings& settings)
      : FeatureMethod(setup), gamma_(settings.real("gamma")), weight_(settings.real("weight")) {
    read_pairs(setup, settings);
  }

  std::vector<Tensor> losses(const TransferInput& in) override {
    std::vector<Tensor> losses;
    const auto products = [](const Tensor& map) {
      const Tensor rows = l2_normalize_rows(as_rows(map));
      return matmul_nt(rows, rows);
    };
    for (std::size_t i = 0; i < student_taps_.size(); ++i) {
      const Tensor student = products(student_map(in, i)), teacher = products(teacher_map(in, i));
      losses.push_back(pointwise_loss(PointwiseLossKind::correlation, student, teacher,
                                      weight_ / static_cast<float>(student.shape().elements()), gamma_));
    }
    return losses;
  }

 private:
  float gamma_, weight_;
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
