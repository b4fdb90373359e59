// Copies pictures into a larger one.
#include "data/images/image_grid.h"

#include <algorithm>

#include "engine/files/check.h"

namespace preceptor {

Image image_grid(const std::vector<Image>& pictures, int columns) {
  require(columns >= 1, "image_grid: ", columns, " columns");
  if (pictures.empty()) return {};
  constexpr int gap = 2;
  const Image& first = pictures.front();
  int channels = 1;
  for (const Image& picture : pictures) {
    require(picture.height == first.height && picture.width == first.width, "image_grid: pictures of ", first.height,
            "x", first.width, " and ", picture.height, "x", picture.width);
    channels = std::max(channels, picture.channels);
  }
  const int count = static_cast<int>(pictures.size());
  const int across = std::min(columns, count), down = (count + across - 1) / across;
  Image grid{down * (first.height + gap) - gap, across * (first.width + gap) - gap, channels, {}};
  const std::size_t pitch = static_cast<std::size_t>(grid.width) * static_cast<std::size_t>(channels);
  grid.pixels.assign(static_cast<std::size_t>(grid.height) * pitch, 255);
  for (int i = 0; i < count; ++i) {
    const Image picture = with_channels(pictures[i], channels);
    const int row_bytes = picture.width * channels;
    for (int y = 0; y < picture.height; ++y)
      std::copy_n(picture.pixels.begin() + static_cast<std::ptrdiff_t>(y) * row_bytes, row_bytes,
                  grid.pixels.begin() +
                      static_cast<std::ptrdiff_t>((i / across * (first.height + gap) + y) * static_cast<int>(pitch) +
                                                  i % across * (first.width + gap) * channels));
  }
  return grid;
}

}  // namespace preceptor
