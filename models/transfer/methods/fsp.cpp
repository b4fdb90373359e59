// fsp: how features turn into later ones: products of the maps at both ends of a stage (Yim et al. 2017).
#include "models/transfer/feature_method.h"

namespace preceptor {
namespace {

class SolutionProcedure : public FeatureMethod {
 public:
  SolutionProcedure(const MethodSetup& setup, const MethodSettings& settings) : FeatureMethod(setup, settings) {
    require(pairs_.size() > 1, "--method fsp: a flow needs two taps at least");
    for (const TapPair& pair : pairs_)
      require(pair.student.shape[0] == pair.teacher.shape[0], "--method fsp: ", pair.student.name,
              " of the student has ", pair.student.shape[0], " channels and ", pair.teacher.name, " of the teacher ",
              pair.teacher.shape[0], "; products of different channels cannot be compared");
    for (std::size_t i = 0; i + 1 < pairs_.size(); ++i) {
      require_one_size(settings, pairs_[i].student, pairs_[i + 1].student);
      require_one_size(settings, pairs_[i].teacher, pairs_[i + 1].teacher);
    }
  }

  std::vector<Tensor> losses(const TransferInput& in) override {
    std::vector<Tensor> losses;
    const auto flow = [](const Tensor& from, const Tensor& to) {
      const auto [first, second] = at_one_size(from, to);
      return gram_matrix(first, second, 1 / static_cast<float>(first.shape()[2] * first.shape()[3]));
    };
    for (std::size_t i = 0; i + 1 < pairs_.size(); ++i) {
      const Tensor student = flow(student_map(in, i), student_map(in, i + 1));
      const Tensor teacher = flow(teacher_map(in, i), teacher_map(in, i + 1));
      losses.push_back(mean_square(student, teacher, weight_));
    }
    return losses;
  }
};

}  // namespace

// The larger of two maps is averaged to the size of the smaller; the paper takes maxima. The paper trains with this
// first and with labels afterwards; end=EPOCH comes near that.
MethodKind fsp() {
  return {.name = "fsp",
          .summary = "the flow between the ends of stages",
          .keys = with_taps("stages", {{"weight", "50", MethodKey::Kind::weight, "of the term; the labels keep 1"}}),
          .make = make<SolutionProcedure>};
}

}  // namespace preceptor
