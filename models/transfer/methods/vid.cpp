// vid: the student's maps predict the teacher's, as well as Gaussians of learned variance can (Ahn et al. 2019).
#include <cmath>

#include "models/transfer/feature_method.h"

namespace preceptor {
namespace {

class VariationalInformation : public FeatureMethod {
 public:
  VariationalInformation(const MethodSetup& setup, const MethodSettings& settings)
      : FeatureMethod(setup, settings, {.one_size = true}) {
    for (const TapPair& pair : pairs_) {
      const std::string name = "transfer.vid." + pair.student.name;
      const int in = pair.student.shape[0], out = pair.teacher.shape[0];
      predictors_.push_back({make_projection(parameters_, name + ".0", in, out, setup.seed),
                             make_projection(parameters_, name + ".1", out, out, setup.seed),
                             make_projection(parameters_, name + ".2", out, out, setup.seed),
                             parameters_.add(name + ".variance", {out}, ParameterKind::plain)});
      const auto raw = static_cast<float>(std::log(std::expm1(settings.number("variance"))));
      set_values(predictors_.back().variance, std::vector<float>(static_cast<std::size_t>(out), raw));
    }
  }

 private:
  std::vector<Tensor> pair_losses(std::size_t i, const Tensor& student, const Tensor& teacher) override {
    const Predictor& predictor = predictors_[i];
    const Tensor first = relu(convolution(student, predictor.first, nullptr, {}));
    const Tensor second = relu(convolution(first, predictor.second, nullptr, {}));
    return {
        gaussian_likelihood(convolution(second, predictor.third, nullptr, {}), teacher, predictor.variance, weight_)};
  }

  // Three 1x1 convolutions; the variances are learned as what log(1 + exp()) makes them of.
  struct Predictor {
    Parameter first, second, third, variance;
  };

  std::vector<Predictor> predictors_;
};

}  // namespace

// Variances begin at 5, as in the code that most comparisons use.
MethodKind vid() {
  using Key = MethodKey::Kind;
  return {.name = "vid",
          .summary = "information that maps of the student hold of the teacher's",
          .keys = with_taps("stages", {{"variance", "5", Key::positive, "of every channel at the start"},
                                       {"weight", "1", Key::weight, "of the term; the labels keep 1"}}),
          .make = make<VariationalInformation>};
}

}  // namespace preceptor
