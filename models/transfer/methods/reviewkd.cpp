// reviewkd: the student's stages, each fused with what all deeper ones left, review the teacher's (Chen et al. 2021).
#include <algorithm>

#include "models/transfer/feature_method.h"

namespace preceptor {
namespace {

// Pooled features are maps of one pixel.
Shape map_shape(const Tap& tap) { return tap.shape.rank() == 3 ? tap.shape : Shape{tap.shape[0], 1, 1}; }

std::optional<Resizer> resizer(Context& context, const Shape& from, const Shape& to, ResizeRule rule) {
  if (from[1] == to[1] && from[2] == to[2]) return std::nullopt;
  return Resizer(context, from[1], from[2], to[1], to[2], rule);
}
Tensor resized(const std::optional<Resizer>& resizer, const Tensor& x) { return resizer ? (*resizer)(x) : x; }

// One stage: attention based fusion, and the pyramid of hierarchical context losses.
struct Level {
  ConvolutionBatchNorm reduce, expand;
  std::optional<Resizer> own_to_teacher;
  // Attention: a 1x1 convolution of both maps, as the sum of one for each map; the first has the bias.
  std::optional<Regressor> of_own = {};
  Parameter of_deeper = {};
  std::optional<Resizer> deeper_to_own = {};
  std::vector<Resizer> pyramid = {};
};

class Review : public FeatureMethod {
 public:
  Review(const MethodSetup& setup, const MethodSettings& settings)
      : FeatureMethod(setup, settings, {.before_relu = true}) {
    // The deepest stage is the pooled features.
    if (settings.text("tap") == "stages")
      add_pair(setup.student->tap("avgpool", setup.height, setup.width),
               setup.teacher->tap("avgpool", setup.teacher_height, setup.teacher_width));
    const int middle = std::min(512, pairs_.back().student.shape[0]);
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const bool deepest = i + 1 == pairs_.size();
      const Shape own = map_shape(pairs_[i].student), teacher = map_shape(pairs_[i].teacher);
      const std::string name = "transfer.reviewkd." + pairs_[i].student.name;
      Level level{make_connector(parameters_, name + ".reduce", own[0], middle, setup.seed),
                  make_connector(parameters_, name + ".expand", middle, teacher[0], setup.seed, 3),
                  resizer(*setup.context, own, teacher, ResizeRule::nearest)};
      if (!deepest) {
        level.of_own.emplace(parameters_, name + ".attention.own", middle, 2, setup.seed);
        level.of_deeper = make_projection(parameters_, name + ".attention.deeper", middle, 2, setup.seed);
        level.deeper_to_own = resizer(*setup.context, map_shape(pairs_[i + 1].teacher), own, ResizeRule::nearest);
      }
      for (int side : {4, 2, 1})
        if (side < teacher[1])
          level.pyramid.emplace_back(*setup.context, teacher[1], teacher[2], side, side, ResizeRule::mean);
      levels_.push_back(std::move(level));
    }
  }

  std::vector<Tensor> losses(const TransferInput& in) override {
    std::vector<Tensor> losses;
    Tensor deeper;
    for (std::size_t i = levels_.size(); i-- > 0;) {
      Level& level = levels_[i];
      Tensor x = level.reduce(as_map(student_map(in, i)));
      if (deeper.defined()) {
        const Tensor other = resized(level.deeper_to_own, deeper);
        x = attention_fusion(x, other, add((*level.of_own)(x), convolution(other, level.of_deeper, nullptr, {})));
      }
      deeper = resized(level.own_to_teacher, x);
      add_context_losses(level, level.expand(deeper), as_map(teacher_map(in, i)), losses);
    }
    return losses;
  }

 private:
  // Means of squares at the map's size and, half as much each, at those of the pyramid; over the sum of their weights.
  void add_context_losses(const Level& level, const Tensor& student, const Tensor& teacher,
                          std::vector<Tensor>& losses) const {
    float share = 1, total = 1;
    for (std::size_t i = 0; i < level.pyramid.size(); ++i) total += share *= 0.5f;
    const auto compare = [&](const Tensor& s, const Tensor& t, float of_all) {
      losses.push_back(mean_square(s, t, weight_ * of_all / total));
    };
    compare(student, teacher, 1);
    share = 1;
    for (const Resizer& pool : level.pyramid) compare(pool(student), pool(teacher), share *= 0.5f);
  }

  std::vector<Level> levels_;
};

}  // namespace

// Stages before their last ReLU and the pooled features, the warm-up of 20 epochs: as in the authors' code.
MethodKind reviewkd() {
  using Key = MethodKey::Kind;
  return {.name = "reviewkd",
          .summary = "stages of the student, fused with deeper ones, against those of the teacher",
          .keys = with_taps("stages", {{"weight", "1", Key::weight, "of the term; the labels keep 1"},
                                       {"warmup", "20", Key::weight, "epochs in which the weight grows"}}),
          .make = make<Review>};
}

}  // namespace preceptor
