// nst: the maps' channels are distributed as the teacher's, by the maximum mean discrepancy (Huang and Wang 2017).
#include "models/transfer/feature_method.h"

namespace preceptor {
namespace {

class NeuronSelectivity : public FeatureMethod {
 public:
  NeuronSelectivity(const MethodSetup& setup, const MethodSettings& settings)
      : FeatureMethod(setup, settings, {.one_size = true}) {}

 private:
  // With the kernel k(x, y) = (x y)^2 on unit maps, the means of k over all pairs of channels are sums of squares of
  // products of maps.
  std::vector<Tensor> pair_losses(std::size_t, const Tensor& student_map, const Tensor& teacher_map) override {
    const Tensor student = l2_normalize_maps(student_map), teacher = l2_normalize_maps(teacher_map);
    const auto mean = [&](const Tensor& x, const Tensor& y, float factor) {
      return mean_square(gram_matrix(x, y, 1), Tensor(), factor * weight_);
    };
    return {mean(teacher, teacher, 1), mean(student, student, 1), mean(student, teacher, -2)};
  }
};

}  // namespace

MethodKind nst() {
  return {.name = "nst",
          .summary = "which places the channels of a map answer to",
          .keys = with_taps("last", {{"weight", "50", MethodKey::Kind::weight, "of the term; the labels keep 1"}}),
          .make = make<NeuronSelectivity>};
}

}  // namespace preceptor
