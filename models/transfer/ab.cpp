// ab: the student's neurons, through a connector, are active where the teacher's are (Heo et al. 2019a).
#include <cmath>

#include "models/transfer/connector.h"
#include "models/transfer/feature_method.h"
#include "models/transfer/methods.h"

namespace preceptor {
namespace {

class ActivationBoundaries : public FeatureMethod {
 public:
  ActivationBoundaries(const MethodSetup& setup, const MethodSettings& settings)
      : FeatureMethod(setup), margin_(settings.real("margin")), weight_(settings.real("weight")) {
    for (const TapPair& pair : read_pairs(setup, settings, true)) {
      require_one_size(settings, pair.student, pair.teacher);
      connectors_.push_back(make_connector(parameters_, "transfer.ab." + pair.student.name, pair.student.shape[0],
                                           pair.teacher.shape[0], setup.seed));
    }
  }

  std::vector<Tensor> losses(const TransferInput& in) override {
    std::vector<Tensor> losses;
    for (std::size_t i = 0; i < connectors_.size(); ++i) {
      const auto [student, teacher] = maps(in, i);
      const float of_tap = std::ldexp(3e-3f, static_cast<int>(i + 1) - static_cast<int>(connectors_.size()));
      losses.push_back(pointwise_loss(PointwiseLossKind::boundary, connectors_[i].forward(student, Mode::train, false),
                                      teacher, weight_ * of_tap / static_cast<float>(teacher.shape()[0]), margin_));
    }
    return losses;
  }

 private:
  float margin_, weight_;
  std::vector<ConvolutionBatchNorm> connectors_;
};

}  // namespace

// Of the last tap 3 / 1000 of the sum over an image, of each before it half the next one's, as in the authors' code.
MethodKind ab() {
  using Key = MethodKey::Kind;
  return {.name = "ab",
          .summary = "on which side of zero the values before a ReLU lie",
          .keys = with_taps("stages", {{"margin", "1", Key::weight, "beyond which a side is certain"},
                                       {"weight", "1", Key::weight, "of the term; the labels keep 1"}}),
          .make = make<ActivationBoundaries>};
}

}  // namespace preceptor
