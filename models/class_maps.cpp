// Class activation maps from the last maps and the head.
#include "models/class_maps.h"

#include <algorithm>
#include <cmath>

#include "engine/files/check.h"

namespace preceptor {

ClassMaps::ClassMaps(const LoadedModel& model) : model_(model) {
  head_ = model.network->parameters().state().at(model.network->head_name() + ".weight").values;
}

std::vector<ImageMaps> ClassMaps::operator()(std::span<const std::uint8_t> images) const {
  const Features features = model_.features(images, {"last"});
  const Tensor& last = features.taps.at("last");
  const Shape shape = last.shape();
  const std::vector<float> values = last.to_host(), logits = features.logits.to_host();
  const int channels = shape[1], outputs = model_.card.network.outputs;
  const std::size_t places = static_cast<std::size_t>(shape[2]) * static_cast<std::size_t>(shape[3]);
  std::vector<ImageMaps> all;
  for (int image = 0; image < shape[0]; ++image) {
    const float* maps = values.data() + static_cast<std::size_t>(image) * channels * places;
    const PlaceMap empty{shape[2], shape[3], std::vector<float>(places, 0.0f)};
    ImageMaps made{{logits.begin() + static_cast<std::ptrdiff_t>(image) * outputs,
                    logits.begin() + static_cast<std::ptrdiff_t>(image + 1) * outputs},
                   std::vector<PlaceMap>(static_cast<std::size_t>(outputs), empty),
                   empty};
    for (int channel = 0; channel < channels; ++channel)
      for (std::size_t place = 0; place < places; ++place) {
        const float value = maps[static_cast<std::size_t>(channel) * places + place];
        made.attention.values[place] += value * value / static_cast<float>(channels);
        for (int output = 0; output < outputs; ++output)
          made.classes[static_cast<std::size_t>(output)].values[place] +=
              head_[static_cast<std::size_t>(output) * static_cast<std::size_t>(channels) + channel] * value;
      }
    all.push_back(std::move(made));
  }
  return all;
}

PlaceMap shown(const PlaceMap& map) {
  PlaceMap positive = map;
  const float highest = map.values.empty() ? 0 : *std::max_element(map.values.begin(), map.values.end());
  for (float& value : positive.values) value = highest > 0 ? std::max(0.0f, value) / highest : 0;
  return positive;
}

PlaceMap resized(const PlaceMap& map, int height, int width) {
  require(height >= 1 && width >= 1 && !map.values.empty(), "resized: a map of ", map.height, "x", map.width, " to ",
          height, "x", width);
  PlaceMap out{height, width, {}};
  const auto source = [](int position, int size, int places) {
    const float at =
        (static_cast<float>(position) + 0.5f) * static_cast<float>(places) / static_cast<float>(size) - 0.5f;
    return std::clamp(at, 0.0f, static_cast<float>(places - 1));
  };
  for (int row = 0; row < height; ++row) {
    const float y = source(row, height, map.height);
    const int top = static_cast<int>(y), below = std::min(top + 1, map.height - 1);
    for (int column = 0; column < width; ++column) {
      const float x = source(column, width, map.width);
      const int left = static_cast<int>(x), right = std::min(left + 1, map.width - 1);
      const auto at = [&](int r, int c) { return map.values[static_cast<std::size_t>(r) * map.width + c]; };
      const float dx = x - static_cast<float>(left), dy = y - static_cast<float>(top);
      out.values.push_back((1 - dy) * ((1 - dx) * at(top, left) + dx * at(top, right)) +
                           dy * ((1 - dx) * at(below, left) + dx * at(below, right)));
    }
  }
  return out;
}

}  // namespace preceptor
