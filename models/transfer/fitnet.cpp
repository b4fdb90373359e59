// fitnet: the student's maps, through a 1x1 regressor, reproduce the teacher's (Romero et al. 2015).
#include "models/transfer/connector.h"
#include "models/transfer/feature_method.h"
#include "models/transfer/methods.h"

namespace preceptor {
namespace {

class FitNet : public FeatureMethod {
 public:
  FitNet(const MethodSetup& setup, const MethodSettings& settings)
      : FeatureMethod(setup),
        scale_(settings.real("weight") / (settings.text("reading") == "paper" ? 2.0f : 1.0f)),
        per_image_(settings.text("reading") == "paper") {
    for (const TapPair& pair : read_pairs(setup, settings)) {
      require_one_size(settings, pair.student, pair.teacher);
      regressors_.emplace_back(parameters_, "transfer.fitnet." + pair.student.name, pair.student.shape[0],
                               pair.teacher.shape[0], setup.seed);
    }
  }

  std::vector<Tensor> losses(const TransferInput& in) override {
    std::vector<Tensor> losses;
    for (std::size_t i = 0; i < regressors_.size(); ++i) {
      const auto [student, teacher] = maps(in, i);
      const std::size_t over = per_image_ ? static_cast<std::size_t>(teacher.shape()[0]) : teacher.shape().elements();
      losses.push_back(pointwise_loss(PointwiseLossKind::square, regressors_[i](student), teacher,
                                      scale_ / static_cast<float>(over)));
    }
    return losses;
  }

 private:
  float scale_;
  bool per_image_;
  std::vector<Regressor> regressors_;
};

}  // namespace

// released: the mean of squares, weight 100; paper: half the sum of squares of an image, averaged over images. The
// paper trains the hint first and the rest afterwards; end=EPOCH comes near that.
MethodKind fitnet() {
  using Key = MethodKey::Kind;
  return {
      .name = "fitnet",
      .summary = "maps of the student regress those of the teacher",
      .keys = with_taps(
          "middle", {{"reading", "released", Key::choice, "mean or sum of squares", {"released", "paper"}},
                     {"weight", "100", Key::weight, "of the term; the labels keep 1", {}, {{"reading=paper", "1"}}}}),
      .make = make<FitNet>};
}

}  // namespace preceptor
