// ft: factor transfer: the student's factors, by a translator, are those that a paraphraser draws from the teacher's
// maps (Kim, Park and Kwak 2018).
#include <algorithm>
#include <array>
#include <cmath>

#include "models/transfer/feature_method.h"

namespace preceptor {
namespace {

constexpr float leak = 0.1f;

// Three convolutions of 3x3, each with a leaky ReLU.
class Coder {
 public:
  Coder(Parameters& parameters, const std::string& name, const std::array<int, 4>& channels, std::uint64_t seed) {
    for (std::size_t i = 0; i < 3; ++i)
      layers_.emplace_back(parameters, name + "." + std::to_string(i), channels[i], channels[i + 1], seed, 3);
  }
  Tensor operator()(Tensor x) const {
    for (const Regressor& layer : layers_) x = leaky_relu(layer(x), leak);
    return x;
  }

 private:
  std::vector<Regressor> layers_;
};

class FactorTransfer : public FeatureMethod {
 public:
  FactorTransfer(const MethodSetup& setup, const MethodSettings& settings) : FeatureMethod(setup, settings) {
    for (const TapPair& pair : pairs_) {
      require_one_size(settings, pair.student, pair.teacher);
      const int student = pair.student.shape[0], teacher = pair.teacher.shape[0];
      const int factors = std::max(1, static_cast<int>(std::lround(settings.number("rate") * teacher)));
      const std::string name = "transfer.ft." + pair.student.name;
      levels_.push_back({Coder(parameters_, name + ".translator", {student, student, factors, factors}, setup.seed),
                         Coder(parameters_, name + ".encoder", {teacher, teacher, factors, factors}, setup.seed),
                         Coder(parameters_, name + ".decoder", {factors, factors, teacher, teacher}, setup.seed)});
    }
  }

 private:
  std::vector<Tensor> pair_losses(std::size_t i, const Tensor& student_map, const Tensor& teacher_map) override {
    const Tensor of_teacher = levels_[i].encoder(teacher_map);
    const Tensor rebuilt = levels_[i].decoder(of_teacher);
    Tensor target = of_teacher;
    target.set_slot(-1);  // the paraphraser learns from what it rebuilds alone
    const auto [student, teacher] = at_one_size(levels_[i].translator(student_map), target);
    const Tensor factors = l2_normalize_rows(as_rows(student));
    const Tensor of_factors = pointwise_loss(PointwiseLossKind::absolute, factors, l2_normalize_rows(as_rows(teacher)),
                                             weight_ / per(factors));
    return {of_factors, pointwise_loss(paper_ ? PointwiseLossKind::square : PointwiseLossKind::absolute, rebuilt,
                                       teacher_map, 1 / per(rebuilt))};
  }

  struct Level {
    Coder translator, encoder, decoder;
  };
  // The divisor of a sum: images, or all values.
  float per(const Tensor& x) const {
    return static_cast<float>(paper_ ? static_cast<std::size_t>(x.shape()[0]) : x.shape().elements());
  }

  const bool paper_ = settings_.text("reading") == "paper";
  std::vector<Level> levels_;
};

}  // namespace

// released: means of absolute differences, of the factors with the weight, of the rebuilt map with 1. paper: norms of
// an image, averaged over images: L1 of the factors, squared L2 of the rebuilt map.
MethodKind ft() {
  using Key = MethodKey::Kind;
  return {.name = "ft",
          .summary = "factors of maps, by a paraphraser that learns beside the student",
          .keys = with_taps("last", {{"reading", "released", Key::choice, "means or norms", {"released", "paper"}},
                                     {"rate", "0.5", Key::positive, "factors per channel of the teacher"},
                                     {"weight", "500", Key::weight, "of the factors; the labels keep 1"}}),
          .make = make<FactorTransfer>};
}

}  // namespace preceptor
