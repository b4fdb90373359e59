// Those a student learns from: one network or several, made to speak of the student's labels and images.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/inference/prediction.h"
#include "data/dataset.h"
#include "engine/ops.h"
#include "models/loaded_model.h"

namespace preceptor {

// Several teachers teach as one: the weighted mean of their probabilities, given as logits (kernels/average_logits).
// Each sees the student's images, changed alike, under its own normalization and at the size it was trained on.
class Teachers {
 public:
  using Note = std::function<void(const std::string&)>;

  // Labels are paired by name (label_match.h), or by order where no name is known, and notes say which; findings that a
  // teacher does not know are left to the others. Errors: data, for a checkpoint of another task or other channels, or
  // whose classes are not those of the data.
  Teachers(Context& context, std::vector<CardCheckpoint> checkpoints, const Dataset& dataset, const Note& note);

  // "equal", "auc" (by label what each is better than chance on the validation images), or numbers like "0.3,0.7".
  // Notes the validation AUC of every teacher. relations: those at the ends of the stages of the only teacher are kept
  // for on_validation(). Errors: usage.
  void weigh(const std::string& weights, bool relations, const Note& note);

  // What the teachers say of the validation images, as one; the loss is left out. After weigh().
  Predictions on_validation() const;

  std::size_t count() const { return members_.size(); }
  // Of the only teacher, whose maps methods may read; nullptr where there are several.
  const Network* only_network() const { return count() == 1 ? members_.front().model.network.get() : nullptr; }
  int height() const { return members_.front().model.card.height; }  // of its images
  int width() const { return members_.front().model.card.width; }

  // Of everything that decides the logits and taps of an image: weights, labels, normalisations, sizes, and the shares
  // that weigh() gave.
  std::uint64_t fingerprint() const;

  // [outputs] whether any teacher knows the label.
  const std::vector<bool>& taught() const { return taught_; }

  // Logits of the student's labels for staged images [n, h, w, c]; taps of the only teacher. motions: how the student's
  // images are changed; the normalization in it is not used.
  Features forward(const std::uint8_t* images, const Shape& shape, const AugmentOptions& motions,
                   const std::vector<std::string>& taps) const;

 private:
  struct Member {
    std::string path;
    LoadedModel model;
    std::optional<Resizer> resizer;  // where its images have another size than the data's
    std::vector<bool> knows;         // [outputs]
    std::uint64_t fingerprint;
    Predictions on_validation = {};
  };
  CardCheckpoint arrange(CardCheckpoint checkpoint, std::vector<bool>& knows, const Note& note) const;
  Features forward_member(const Member& member, const std::uint8_t* images, const Shape& shape,
                          const AugmentOptions& motions, const std::vector<std::string>& taps) const;
  // What a teacher is better than chance by, on the validation images, by label; NaN where that is undefined.
  std::vector<double> gains(const Member& member, const Note& note) const;
  Predictions predict_validation(const Member& member, bool relations) const;
  void set_weights(std::vector<std::vector<double>> by_member);

  Context& context_;
  const Dataset& dataset_;
  bool multi_label_;
  std::vector<Member> members_;
  std::vector<bool> taught_;
  std::vector<float> shares_;  // [members, outputs] of each teacher in what they say as one
  Tensor weights_;             // the same on the device
  std::uint64_t fingerprint_of_weights_ = 0;
};

// "teacher NAME: IMAGES AUC 0.8", and that it is no better than chance where that is so.
std::string worth_of_teacher(const std::string& name, const std::string& images, double auc);

// Whether two checkpoints hold the same weights: a student that starts as its teacher has nothing to learn from it.
bool same_weights(const StateDict& a, const StateDict& b);

}  // namespace preceptor
