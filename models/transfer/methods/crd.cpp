// crd: the student's embedding of an image is near the teacher's of the same image and far from the teacher's of many
// others, and the other way round (Tian et al. 2020).
#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/initial_values.h"
#include "models/transfer/feature_method.h"

namespace preceptor {
namespace {

class Contrast : public FeatureMethod {
 public:
  Contrast(const MethodSetup& setup, const MethodSettings& settings) : FeatureMethod(setup, settings) {
    require(pairs_.size() == 1 && pairs_[0].student.shape.rank() == 1 && pairs_[0].teacher.shape.rank() == 1,
            "--method crd: reads pooled features, not maps");
    const int columns = static_cast<int>(settings.number("dimension")), images = setup.images;
    require(columns <= 256, "--method crd: dimension=", columns, " is more than 256");
    require(images > 1, "--method crd: of ", images, " training images there are no others");
    state_size(setup, images, columns);
    student_.emplace(parameters_, "transfer.crd.student", pairs_[0].student.shape[0], columns, setup.seed);
    teacher_.emplace(parameters_, "transfer.crd.teacher", pairs_[0].teacher.shape[0], columns, setup.seed);
    for (std::size_t i = 0; i < 2; ++i) {
      const std::string name = i == 0 ? "transfer.crd.student" : "transfer.crd.teacher";
      banks_[i] = parameters_.add(name + "_bank", {images, columns}, ParameterKind::buffer);
      // Rows of unit length, about.
      set_values(banks_[i], InitialValues(setup.seed, banks_[i].name())
                                .uniform_values(banks_[i].shape().elements(), 1 / std::sqrt(columns / 3.0)));
      constants_[i] = parameters_.add(name + "_constant", {1}, ParameterKind::buffer);
    }
    const bool by_class = settings.text("from") == "classes" && setup.classes != nullptr;
    find_others(*setup.context, images, by_class ? setup.classes : nullptr);
  }

  std::vector<Tensor> losses(const TransferInput& in) override {
    const Tensor student = (*student_)(student_map(in, 0)), teacher = (*teacher_)(teacher_map(in, 0));
    const Tensor candidates = draw_candidates(student.context(), in.positions, student.shape()[0], others_, negatives_);
    std::vector<Tensor> losses = {nce_loss(student, banks_[1], candidates, constants_[0], temperature_, weight_),
                                  nce_loss(teacher, banks_[0], candidates, constants_[1], temperature_, weight_)};
    update_bank(banks_[0], student, in.positions, momentum_);
    update_bank(banks_[1], teacher, in.positions, momentum_);
    return losses;
  }

 private:
  static void state_size(const MethodSetup& setup, int images, int columns) {
    if (!setup.note) return;
    const double megabytes = 2.0 * images * columns * sizeof(float) / 1e6;
    setup.note(message("--method crd: two banks of ", images, " x ", columns, " values, ",
                       std::round(megabytes * 10) / 10, " MB of memory and of every saved state"));
  }

  // Images by class: those of one class are neighbors, and exclude each other. Without classes each excludes itself.
  void find_others(Context& context, int images, const std::vector<float>* classes) {
    std::vector<int> order(static_cast<std::size_t>(images));
    std::iota(order.begin(), order.end(), 0);
    std::vector<int> first = order, excluded(order.size(), 1);
    if (classes) {
      std::ranges::stable_sort(order, {}, [&](int image) { return (*classes)[static_cast<std::size_t>(image)]; });
      for (std::size_t begin = 0, end = 0; begin < order.size(); begin = end) {
        while (end < order.size() && (*classes)[order[end]] == (*classes)[order[begin]]) ++end;
        for (std::size_t i = begin; i < end; ++i) {
          first[order[i]] = static_cast<int>(begin);
          excluded[order[i]] = static_cast<int>(end - begin);
        }
        require(end - begin < order.size(), "--method crd: all training images are of one class, so there are no ",
                "negatives of others; from=images takes any");
      }
    }
    const auto on_device = [&](const std::vector<int>& values) {
      const Tensor tensor = context.empty({images}, Lifetime::persistent);
      context.copy_and_wait(tensor.data(), values.data(), values.size() * sizeof(int));
      return tensor;
    };
    others_ = {on_device(order), on_device(first), on_device(excluded)};
  }

  const int negatives_ = static_cast<int>(settings_.number("negatives"));
  const double temperature_ = settings_.number("temperature");
  const float momentum_ = settings_.real("momentum");
  std::optional<Embedding> student_, teacher_;
  Parameter banks_[2], constants_[2];  // of the student's embeddings, of the teacher's; of either one's scores
  NegativeSource others_;
};

}  // namespace

// Numbers of the released code: 16384 negatives, of other classes where images have one, each drawn on its own.
MethodKind crd() {
  using Key = MethodKey::Kind;
  return {
      .name = "crd",
      .summary = "embeddings of an image, in contrast to those of many others",
      .keys = with_taps("avgpool", {{"negatives", "16384", Key::count, "other images that each is compared with"},
                                    {"dimension", "128", Key::count, "values of an embedding, at most 256"},
                                    {"temperature", "0.07", Key::positive, "of the products of embeddings"},
                                    {"momentum", "0.5", Key::fraction, "share of the old embedding that a bank keeps"},
                                    {"from", "classes", Key::choice, "which others", {"classes", "images"}},
                                    {"weight", "0.8", Key::weight, "of the term; the labels keep 1"}}),
      .takes_mixtures = false,
      .make = make<Contrast>};
}

}  // namespace preceptor
