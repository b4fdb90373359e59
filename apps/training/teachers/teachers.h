// Teacher networks, one or several, with their outputs arranged for the student's labels and images.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/inference/prediction.h"
#include "apps/runs/progress.h"
#include "apps/training/teachers/teacher.h"
#include "data/dataset.h"
#include "data/storage/image_hash.h"
#include "models/loaded_model.h"

namespace preceptor {

// Several teachers teach as one: the weighted mean of their probabilities, given as logits. Each sees the student's
// images under the same augmentation, but with its own normalization and at the size it was trained on.
class Teachers final : public Teacher {
 public:
  // Labels are paired by name (card_and_data.h), or by order if no name is known, and notes say which; findings that a
  // teacher does not know are left to the others. Errors: data, for a checkpoint of another task or other channels, or
  // whose classes are not those of the data.
  Teachers(Context& context, std::vector<CardCheckpoint> checkpoints, const Dataset& dataset, const Note& note);

  // "equal", "auc" (by label what each is better than chance on the validation images), or numbers like "0.3,0.7".
  // Notes the validation AUC of every teacher. Returns the predictions for the validation images as those of one
  // teacher, without the loss; relations: with those at the ends of the stages of an only teacher. Errors: usage.
  Predictions weigh(const std::string& weights, bool relations, const Note& note);

  std::size_t count() const { return members_.size(); }
  // The network whose maps methods may read; null if there are several teachers.
  const Network* only_network() const { return count() == 1 ? members_.front().model.network.get() : nullptr; }
  int height() const { return members_.front().model.card.height; }  // of its images
  int width() const { return members_.front().model.card.width; }

  // Hash of everything that decides the logits and taps of an image: weights, labels, normalizations, sizes, and the
  // shares set by weigh().
  std::uint64_t fingerprint() const;

  // Logits of the student's labels, and taps of a single teacher; the normalization of the input is not used.
  Features features(const TeacherInput& input, const Tensor&) const override;

 private:
  struct Member {
    std::string path;
    LoadedModel model;
    std::optional<Resizer> resizer;  // if its images have another size than the data's
    std::vector<bool> knows;         // [outputs]
    std::uint64_t fingerprint;
  };
  CardCheckpoint arrange(CardCheckpoint checkpoint, std::vector<bool>& knows, const Note& note) const;
  Features forward(const Member& member, const TeacherInput& input) const;
  // Validation AUC above chance, by label; NaN if it is undefined.
  std::vector<double> gains(const Member& member, const Predictions& said, const Note& note) const;
  void set_weights(std::vector<std::vector<double>> by_member);

  Context& context_;
  const Dataset& dataset_;
  bool multi_label_;
  std::vector<Member> members_;
  std::vector<float> shares_;  // [members, outputs] of each teacher in what they say as one
  Tensor weights_;             // the same on the device
};

// For fingerprints: of text or numbers.
template <class Values>
std::uint64_t hash_of(const Values& values, std::uint64_t seed = 0) {
  return content_hash({reinterpret_cast<const std::uint8_t*>(values.data()), values.size() * sizeof values[0]}, seed);
}

// The taps at which stages end, in the order of a forward pass of images of this size.
std::vector<std::string> stage_taps(const Network& network, int height, int width);

// Agreement of a student with its teacher on the validation images, for the columns of metrics.csv: for classes
// agreement/top_1; for findings rank_correlation/LABEL of each taught label, and their mean. cka/TAP for the ends of
// stages whose relations both have, paired from the last to the first and named after the student's tap, and the
// teacher's if it has another name. taught: [outputs].
std::vector<Meter> agreement_meters(const Dataset& dataset, const std::vector<bool>& taught, const Predictions& student,
                                    const Predictions& teacher);

// "teacher NAME: IMAGES AUC 0.8", with a warning if that is no better than chance.
std::string worth_of_teacher(const std::string& name, const std::string& images, double auc);

// True if both hold the same weights: a student that starts as its teacher has nothing to learn from it.
bool same_weights(const StateDict& a, const StateDict& b);

}  // namespace preceptor
