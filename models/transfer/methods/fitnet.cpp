// fitnet: the student's maps, through a 1x1 regressor, reproduce the teacher's (Romero et al. 2015).
#include "models/transfer/feature_method.h"

namespace preceptor {
namespace {

class FitNet : public FeatureMethod {
 public:
  FitNet(const MethodSetup& setup, const MethodSettings& settings)
      : FeatureMethod(setup, settings, {.one_size = true}) {
    for (const TapPair& pair : pairs_)
      regressors_.emplace_back(parameters_, "transfer.fitnet." + pair.student.name, pair.student.shape[0],
                               pair.teacher.shape[0], setup.seed);
  }

 private:
  std::vector<Tensor> pair_losses(std::size_t i, const Tensor& student, const Tensor& teacher) override {
    const std::size_t over = paper_ ? static_cast<std::size_t>(teacher.shape()[0]) : teacher.shape().elements();
    return {pointwise_loss(PointwiseLossKind::square, regressors_[i](student), teacher,
                           (paper_ ? weight_ / 2 : weight_) / static_cast<float>(over))};
  }

  const bool paper_ = settings_.text("reading") == "paper";
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
