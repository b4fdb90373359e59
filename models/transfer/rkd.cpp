// rkd: distances between the images of a batch, and the angles of all triples (Park et al. 2019).
#include "models/transfer/feature_method.h"
#include "models/transfer/methods.h"

namespace preceptor {
namespace {

class Relational : public FeatureMethod {
 public:
  Relational(const MethodSetup& setup, const MethodSettings& settings)
      : FeatureMethod(setup),
        distance_(settings.real("distance")),
        angle_(settings.real("angle")),
        weight_(settings.real("weight")) {
    read_pairs(setup, settings);
  }

  std::vector<Tensor> losses(const TransferInput& in) override {
    std::vector<Tensor> losses;
    for (std::size_t i = 0; i < student_taps_.size(); ++i) {
      const Tensor student = squared_distances(as_rows(student_map(in, i)));
      const Tensor teacher = squared_distances(as_rows(teacher_map(in, i)));
      losses.push_back(relational_loss(Relation::distances, student, teacher, weight_ * distance_));
      losses.push_back(relational_loss(Relation::angles, student, teacher, weight_ * angle_));
    }
    return losses;
  }

 private:
  float distance_, angle_, weight_;
};

}  // namespace

MethodKind rkd() {
  using Key = MethodKey::Kind;
  return {.name = "rkd",
          .summary = "distances and angles between the images of a batch",
          .keys = with_taps("avgpool", {{"distance", "25", Key::weight, "of the distances"},
                                        {"angle", "50", Key::weight, "of the angles"},
                                        {"weight", "1", Key::weight, "of both; the labels keep 1"}}),
          .make = make<Relational>};
}

}  // namespace preceptor
