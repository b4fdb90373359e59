// nst: the maps' channels are distributed as the teacher's, by the maximum mean discrepancy (Huang and Wang 2017).
#include "models/transfer/feature_method.h"
#include "models/transfer/methods.h"

namespace preceptor {
namespace {

class NeuronSelectivity : public FeatureMethod {
 public:
  NeuronSelectivity(const MethodSetup& setup, const MethodSettings& settings)
      : FeatureMethod(setup), weight_(settings.real("weight")) {
    for (const TapPair& pair : read_pairs(setup, settings)) require_one_size(settings, pair.student, pair.teacher);
  }

  // With the kernel k(x, y) = (x y)^2 on unit maps, the means of k over all pairs of channels are sums of squares of
  // products of maps.
  std::vector<Tensor> losses(const TransferInput& in) override {
    std::vector<Tensor> losses;
    for (std::size_t i = 0; i < student_taps_.size(); ++i) {
      const auto [student_map, teacher_map] = maps(in, i);
      const Tensor student = l2_normalize_maps(student_map), teacher = l2_normalize_maps(teacher_map);
      const auto mean = [&](const Tensor& x, const Tensor& y, float factor) {
        const Tensor products = gram_matrix(x, y, 1);
        losses.push_back(mean_square(products, Tensor(), factor * weight_));
      };
      mean(teacher, teacher, 1);
      mean(student, student, 1);
      mean(student, teacher, -2);
    }
    return losses;
  }

 private:
  float weight_;
};

}  // namespace

MethodKind nst() {
  return {.name = "nst",
          .summary = "which places the channels of a map answer to",
          .keys = with_taps("last", {{"weight", "50", MethodKey::Kind::weight, "of the term; the labels keep 1"}}),
          .make = make<NeuronSelectivity>};
}

}  // namespace preceptor
