// at: attention transfer (Zagoruyko and Komodakis 2017) in the released code's reading, the paper's equation, and as
// the first author of "Evaluating Knowledge Transfer in Neural Network for Medical Images" coded it.
#include "models/transfer/feature_method.h"

namespace preceptor {
namespace {

class At : public FeatureMethod {
 public:
  At(const MethodSetup& setup, const MethodSettings& settings) : FeatureMethod(setup, settings, {.one_size = true}) {
    for (const TapPair& pair : pairs_)
      require(reading_ != "author" || pair.student.shape[0] == pair.teacher.shape[0],
              "--method at: the author's reading compares channel by channel, and ", pair.student.name,
              " of the student has ", pair.student.shape[0], ", ", pair.teacher.name, " of the teacher ",
              pair.teacher.shape[0]);
  }

 private:
  std::vector<Tensor> pair_losses(std::size_t, const Tensor& student, const Tensor& teacher) override {
    if (reading_ == "author")
      return {l2_norm_loss(l2_normalize_maps(student), l2_normalize_maps(teacher),
                           weight_ / static_cast<float>(pairs_.size()))};
    const bool paper = reading_ == "paper";
    return {attention_transfer(student, teacher, paper ? weight_ / 2 : weight_, paper)};
  }

  const std::string reading_ = settings_.text("reading");
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
