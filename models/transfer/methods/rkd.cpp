// rkd: distances between the images of a batch, and the angles of all triples (Park et al. 2019).
#include "models/transfer/feature_method.h"

namespace preceptor {
namespace {

class Relational : public FeatureMethod {
 public:
  using FeatureMethod::FeatureMethod;

 private:
  std::vector<Tensor> pair_losses(std::size_t, const Tensor& student_map, const Tensor& teacher_map) override {
    const Tensor student = squared_distances(as_rows(student_map)), teacher = squared_distances(as_rows(teacher_map));
    return {relational_loss(Relation::distances, student, teacher, weight_ * distance_),
            relational_loss(Relation::angles, student, teacher, weight_ * angle_)};
  }

  const float distance_ = settings_.real("distance"), angle_ = settings_.real("angle");
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
