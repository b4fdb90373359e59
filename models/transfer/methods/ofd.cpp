// ofd: what the student's maps have before the ReLU, through a connector, is near the teacher's, as far as a ReLU lets
// it matter (Heo et al. 2019b, "A Comprehensive Overhaul of Feature Distillation").
#include <algorithm>
#include <cmath>
#include <numbers>

#include "models/transfer/feature_method.h"

namespace preceptor {
namespace {

std::vector<float> values_of(const Parameter& parameter) {
  std::vector<float> values(parameter.shape().elements());
  Context& context = parameter.context();
  context.copy_and_wait(values.data(), parameter.value(), values.size() * sizeof(float));
  return values;
}

// The mean of the negative values of N(mean, deviation^2): the expected value of a channel after a batch norm if it
// is negative. If that is rarer than once in a thousand, -3 deviations, as in the authors' code.
double negative_mean(double mean, double deviation) {
  if (deviation == 0) return std::min(mean, 0.0);
  const double z = mean / deviation, below = 0.5 * std::erfc(z / std::numbers::sqrt2);
  if (below <= 0.001) return -3 * deviation;
  return mean - deviation * std::exp(-z * z / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2 / below;
}

class Overhaul : public FeatureMethod {
 public:
  Overhaul(const MethodSetup& setup, const MethodSettings& settings)
      : FeatureMethod(setup, settings, {.before_relu = true, .one_size = true}) {
    for (const TapPair& pair : pairs_) {
      require(pair.teacher.norm.has_value(), "--method ofd: no batch norm says how ", pair.teacher.name,
              " of the teacher is spread; it reads maps before a ReLU, such as layer3.1.sum or denseblock3");
      const BatchNormParameters& norm = *pair.teacher.norm;
      std::vector<float> margins = values_of(norm.beta), deviations = values_of(norm.gamma);
      for (std::size_t i = 0; i < margins.size(); ++i)
        margins[i] = static_cast<float>(
            negative_mean(static_cast<double>(margins[i]), std::abs(static_cast<double>(deviations[i]))));
      levels_.push_back({make_connector(parameters_, "transfer.ofd." + pair.student.name, pair.student.shape[0],
                                        pair.teacher.shape[0], setup.seed),
                         pair.teacher.norm_follows ? pair.teacher.norm : std::nullopt,
                         setup.context->empty(Shape{pair.teacher.shape[0]}, Lifetime::persistent)});
      levels_.back().margins.from_host(margins);
    }
  }

 private:
  std::vector<Tensor> pair_losses(std::size_t i, const Tensor& student, const Tensor& teacher_map) override {
    const Level& level = levels_[i];
    const Tensor teacher = level.norm ? batch_norm(teacher_map, *level.norm, false, false) : teacher_map;
    const float of_tap = std::ldexp(1e-3f, static_cast<int>(i + 1) - static_cast<int>(levels_.size()));
    return {pointwise_loss(PointwiseLossKind::partial, level.connector(student), margin_relu(teacher, level.margins),
                           weight_ * of_tap / static_cast<float>(teacher.shape()[0]))};
  }

  struct Level {
    ConvolutionBatchNorm connector;
    std::optional<BatchNormParameters> norm;  // the teacher's, if it follows the tap
    Tensor margins;                           // [channels of the teacher]
  };
  std::vector<Level> levels_;
};

}  // namespace

// The last tap's weight is 1 / 1000 of the sum over an image, each earlier one's half the next, as in the authors' code
// for CIFAR; their code for ImageNet has 1 / 10000.
MethodKind ofd() {
  return {.name = "ofd",
          .summary = "maps before a ReLU, where the ReLU lets a difference matter",
          .keys = with_taps("stages", {{"weight", "1", MethodKey::Kind::weight, "of the term; the labels keep 1"}}),
          .make = make<Overhaul>};
}

}  // namespace preceptor
