// Random changes of training images: the value of --augment.
#pragma once

#include <string>

#include "engine/ops.h"

namespace preceptor {

struct Augmentation {
  bool flip = false;
  int shift = 0;                                                        // pixels
  double rotate = 0;                                                    // degrees
  double scale = 0, crop = 0, brightness = 0, contrast = 0, noise = 0;  // as in AugmentOptions
  int cutout = 0;                                                       // pixels
  double mixup = 0;                                                     // alpha of the Beta distribution; 0: none

  bool operator==(const Augmentation&) const = default;

  // As the network's input goes through it; the loader does mixup.
  AugmentOptions input(const std::vector<float>& mean, const std::vector<float>& deviation) const;
};

// "flip,shift=4,rotate=10" in any order, each name once; "" is no change. Errors: usage, with the valid names or range.
Augmentation parse_augmentation(const std::string& text);
inline std::string read_text(const std::string& text, Augmentation& augmentation) {
  augmentation = parse_augmentation(text);
  return {};
}
// The shortest text with the same meaning, in the order in which the changes are made.
std::string to_string(const Augmentation& augmentation);

}  // namespace preceptor
