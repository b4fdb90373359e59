// What a network looks at: class activation maps and attention maps.
#pragma once

#include <span>
#include <vector>

#include "models/loaded_model.h"

namespace preceptor {

// A value per place of a network's last maps.
struct PlaceMap {
  int height = 0, width = 0;
  std::vector<float> values;  // [height, width]
};

// What a network makes of one image.
struct ImageMaps {
  std::vector<float> logits;      // [outputs]
  std::vector<PlaceMap> classes;  // [outputs] sum over channels of head weight * last map
  PlaceMap attention;             // mean over channels of the squared last maps (Zagoruyko and Komodakis 2017)
};

// Grad-CAM (Selvaraju et al. 2017) weighs every channel A_k of a map with the mean over places of d logit_c / d A_k and
// takes the positive part of the sum. All networks here end in global average pooling and one linear layer, logit_c =
// b_c + sum_k w_ck mean(A_k), so at the last maps that derivative is w_ck / places everywhere: Grad-CAM there is the
// positive part of sum_k w_ck A_k, up to the factor 1 / places, which is the class activation map of Zhou et al. 2016,
// and no backward pass is needed. The mean of a class map over places is the logit without its bias.
class ClassMaps {
 public:
  // Keeps a reference to the model.
  explicit ClassMaps(const LoadedModel& model);

  // images as bytes [n, height, width, channels] of the card. Errors: usage, as LoadedModel::logits.
  std::vector<ImageMaps> operator()(std::span<const std::uint8_t> images) const;

 private:
  const LoadedModel& model_;
  std::vector<float> head_;  // [outputs, channels]
};

// Grad-CAM as shown: the positive part, divided by its maximum; all 0 where nothing is positive.
PlaceMap shown(const PlaceMap& map);

// At another size, by linear interpolation between the centers of places, as picture viewers enlarge.
PlaceMap resized(const PlaceMap& map, int height, int width);

}  // namespace preceptor
