// at: attention transfer (Zagoruyko and Komodakis 2017) in the released code's reading, the paper's equation, and as
// the first author of "Evaluating Knowledge Transfer in Neural Network for Medical Images" coded it.
#include "models/transfer/feature_method.h"
#include "models/transfer/methods.h"

namespace preceptor {
namespace {

class At : public FeatureMethod {
 public:
  At(const MethodSetup& setup, const MethodSettings& settings)
      : FeatureMethod(setup), reading_(settings.text("reading")), weight_(settings.real("weight")) {
    for (const TapPair& pair : read_pairs(setup, settings)) {
      require_one_size(settings, pair.student, pair.teacher);
      require(reading_ != "author" || pair.student.shape[0] == pair.teacher.shape[0],
              "--method at: the author's reading compares channel by channel, and ", pair.student.name,
              " of the student has ", pair.student.shape[0], ", ", pair.teacher.name, " of the teacher ",
              pair.teacher.shape[0]);
    }
  }

  std::vector<Tensor> losses(const TransferInput& in) override {
    std::vector<Tensor> losses;
    for (std::size_t i = 0; i < student_taps_.size(); ++i) {
      const auto [student, teacher] = maps(in, i);
      if (reading_ == "author")
        losses.push_back(l2_norm_loss(l2_normalize_maps(student), l2_normalize_maps(teacher),
                                      weight_ / static_cast<float>(student_taps_.size())));
      else
        losses.push_back(
            attention_transfer(student, teacher, reading_ == "paper" ? weight_ / 2 : weight_, reading_ == "paper"));
    }
    return losses;
  }

 private:
  std::string reading_;
  float weight_;
};

}  // namespace

// released: 1000, that code's beta, on the sum over taps of mean squared differences. paper: beta about 0.1 (section 4)
// on half the sum over taps of the norms. author: 1/5, on the mean over taps of one norm of the whole batch.
MethodKind at() {
  using Key = MethodKey::Kind;
  return {.name = "at",
          .summary = "attention maps: where both networks look",
          .keys = with_taps("stages",
                            {{"reading", "released", Key::choice, "whose definition", {"released", "paper", "author"}},
                             {"weight",
                              "1000",
                              Key::weight,
                              "of the term; the labels keep 1",
                              {},
                              {{"reading=paper", "0.1"}, {"reading=author", "0.2"}}}}),
          .make = make<At>};
}

}  // namespace preceptor
