// Colors over grey.
#include "apps/explanation/heat_map.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace preceptor {
namespace {

// Points of a ramp whose lightness rises evenly.
constexpr std::array<std::array<float, 3>, 4> ramp = {{{90, 20, 60}, {180, 50, 40}, {240, 140, 40}, {255, 235, 130}}};

float ramp_at(float value, std::size_t channel) {
  const float at = std::clamp(value, 0.0f, 1.0f) * static_cast<float>(ramp.size() - 1);
  const std::size_t low = std::min(static_cast<std::size_t>(at), ramp.size() - 2);
  const float share = at - static_cast<float>(low);
  return (1 - share) * ramp[low][channel] + share * ramp[low + 1][channel];
}

}  // namespace

Image enlarged(const Image& image, int side) {
  const double factor = static_cast<double>(side) / std::max(image.height, image.width);
  return resized(image, std::max(1, static_cast<int>(std::lround(image.height * factor))),
                 std::max(1, static_cast<int>(std::lround(image.width * factor))));
}

Image heat_map(const Image& image, const PlaceMap& map, int side) {
  const Image grey = enlarged(with_channels(image, 1), side);
  const PlaceMap large = resized(map, grey.height, grey.width);
  Image out{grey.height, grey.width, 3, {}};
  out.pixels.reserve(3 * grey.pixels.size());
  for (std::size_t i = 0; i < grey.pixels.size(); ++i) {
    const float value = std::clamp(large.values[i], 0.0f, 1.0f), cover = 0.65f * std::sqrt(value);
    for (std::size_t channel = 0; channel < 3; ++channel)
      out.pixels.push_back(static_cast<std::uint8_t>(
          std::lround((1 - cover) * static_cast<float>(grey.pixels[i]) + cover * ramp_at(value, channel))));
  }
  return out;
}

}  // namespace preceptor
