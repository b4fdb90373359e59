// ofd: what the student's maps have before the ReLU, through a connector, is near the teacher's, as far as a ReLU lets
// it matter (Heo et al. 2019b, "A Comprehensive Overhaul of Feature Distillation").
#include <algorithm>
#include <cmath>
#include <numbers>

#include "models/transfer/connector.h"
#include "models/transfer/feature_method.h"
#include "models/transfer/methods.h"

namespace preceptor {
namespace {

std::vector<float> values_of(const Parameter& parameter) {
  std::vector<float> values(parameter.shape().elements());
  Context& context = parameter.context();
  context.run(kernels::Copy{values.data(), parameter.value(), values.size() * sizeof(float)});
  context.stream().synchronize();
  return values;
}

// The mean of the negative values of N(mean, deviation^2): what a channel behind a batch norm is expected to be where
// it is negative. Where that is rarer than once in a thousand, -3 deviations, as in the authors' code.
double negative_mean(double mean, double deviation) {
  if (deviation == 0) return std::min(mean, 0.0);
  const double z = mean / deviation, below = 0.5 * std::erfc(z / std::numbers::sqrt2);
  if (below <= 0.001) return -3 * deviation;
  return mean - deviation * std::exp(-z * z / 2) * std::numbers::inv_sqrtpi / std::numbers::sqrt2 / below;
}

class Overhaul : public FeatureMethod {
 public:
  Overhaul(const MethodSetup& setup, const MethodSettings& settings)
      : FeatureMethod(setup), weight_(settings.real("weight")) {
    for (const TapPair& pair : read_pairs(setup, settings, true)) {
      require_one_size(settings, pair.student, pair.teacher);
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

  std::vector<Tensor> losses(const TransferInput& in) override {
    std::vector<Tensor> losses;
    for (std::size_t i = 0; i < levels_.size(); ++i) {
      auto [student, teacher] = maps(in, i);
      if (levels_[i].norm) teacher = batch_norm(teacher, *levels_[i].norm, false, false);
      const float of_tap = std::ldexp(1e-3f, static_cast<int>(i + 1) - static_cast<int>(levels_.size()));
      losses.push_back(pointwise_loss(
          PointwiseLossKind::partial, levels_[i].connector.forward(student, Mode::train, false),
          margin_relu(teacher, levels_[i].margins), weight_ * of_tap / static_cast<float>(teacher.shape()[0])));
    }
    return losses;
  }

 private:
  struct Level {
    ConvolutionBatchNorm connector;
    std::optional<BatchNormParameters> norm;  // of the teacher, where it stands behind the tap
    Tensor margins;                           // [channels of the teacher]
  };
  float weight_;
  std::vector<Level> levels_;
};

}  // namespace

// Of the last tap 1 / 1000 of the sum over an image, of each before it half the next one's, as in the authors' code for
// CIFAR; that for ImageNet has 1 / 10000.
MethodKind ofd() {
  return {.name = "ofd",
          .summary = "maps before a ReLU, where the ReLU lets a difference matter",
          .keys = with_taps("stages", {{"weight", "1", MethodKey::Kind::weight, "of the term; the labels keep 1"}}),
          .make = make<Overhaul>};
}

}  // namespace preceptor
