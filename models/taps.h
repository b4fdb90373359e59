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
  bool before_relu = false;  // the values of a stage before its ReLU
  // With before_relu, the batch norm before that ReLU. norm_follows: it reads the tap (dense networks); else the tap is
  // its output.
  std::optional<BatchNormParameters> norm = std::nullopt;
  bool norm_follows = false;
};

// The maps that a forward pass keeps. A name is found with and without DenseNet's prefix "features.".
class Taps {
 public:
  explicit Taps(const std::vector<std::string>& wanted) : wanted_(wanted) {}

  bool requested(const std::string& name) const;
  // Keeps x if it was requested; called for every tap.
  void record(const std::string& name, const Tensor& x);

  // By requested name.
  const std::map<std::string, Tensor>& kept() const { return kept_; }

 private:
  const std::vector<std::string>& wanted_;
  std::map<std::string, Tensor> kept_;
};

// True if a user's name means this tap.
bool names_tap(const std::string& given, const std::string& tap);

// A short list of the names: groups of more than four that differ only in their numbers show the first and the last.
std::string tap_list(const std::vector<Tap>& taps);

}  // namespace preceptor
