// ab: the student's neurons, through a connector, are active where the teacher's are (Heo et al. 2019a).
#include <cmath>

#include "models/transfer/feature_method.h"

namespace preceptor {
namespace {

class ActivationBoundaries : public FeatureMethod {
 public:
  ActivationBoundaries(const MethodSetup& setup, const MethodSettings& settings)
      : FeatureMethod(setup, settings, {.before_relu = true, .one_size = true}) {
    for (const TapPair& pair : pairs_)
      connectors_.push_back(make_connector(parameters_, "transfer.ab." + pair.student.name, pair.student.shape[0],
                                           pair.teacher.shape[0], setup.seed));
  }

 private:
  std::vector<Tensor> pair_losses(std::size_t i, const Tensor& student, const Tensor& teacher) override {
    const float of_tap = std::ldexp(3e-3f, static_cast<int>(i + 1) - static_cast<int>(connectors_.size()));
    return {pointwise_loss(PointwiseLossKind::boundary, connectors_[i](student), teacher,
                           weight_ * of_tap / static_cast<float>(teacher.shape()[0]), margin_)};
  }

  const float margin_ = settings_.real("margin");
  std::vector<ConvolutionBatchNorm> connectors_;
};

}  // namespace

// The last tap's weight is 3 / 1000 of the sum over an image, each earlier one's half of the next, as in the
// authors' code.
MethodKind ab() {
  using Key = MethodKey::Kind;
  return {.name = "ab",
          .summary = "on which side of zero the values before a ReLU lie",
          .keys = with_taps("stages", {{"margin", "1", Key::weight, "beyond which a side is certain"},
                                       {"weight", "1", Key::weight, "of the term; the labels keep 1"}}),
          .make = make<ActivationBoundaries>};
}

}  // namespace preceptor
