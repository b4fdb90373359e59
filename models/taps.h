// Taps: named maps between the layers of a network, for methods that read more of it than its logits.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/ops.h"

namespace preceptor {

// A place in a network that can be tapped.
struct Tap {
  std::string name;  // torchvision's name of the module that gives it, or "last": the maps that are pooled
  Shape shape;       // of one image: [c, h, w], or [c] for the pooled features
  bool ends_stage = false;
  bool before_relu = false;  // of a stage: the values that a ReLU has not seen yet
  // Of such a place: the batch norm that its ReLU stands behind, and whether that follows the tap (dense networks) or
  // has been applied to what is tapped.
  std::optional<BatchNormParameters> norm = std::nullopt;
  bool norm_follows = false;
};

// What a forward pass is asked to keep. A name is found with and without DenseNet's "features." in front.
class Taps {
 public:
  explicit Taps(const std::vector<std::string>& wanted) : wanted_(wanted) {}

  bool requested(const std::string& name) const;
  // Keeps x if it is wanted; a model calls it at every place that can be tapped.
  void record(const std::string& name, const Tensor& x);

  // By the names that were wanted.
  const std::map<std::string, Tensor>& kept() const { return kept_; }

 private:
  const std::vector<std::string>& wanted_;
  std::map<std::string, Tensor> kept_;
};

// Whether a user's name means this tap.
bool names_tap(const std::string& given, const std::string& tap);

// The names, bounded: those that differ only in their numbers together, of more than four the first and the last.
std::string tap_list(const std::vector<Tap>& taps);

}  // namespace preceptor
