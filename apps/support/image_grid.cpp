// Layout of the grid; PNG through stb_image_write.
#include "apps/support/image_grid.h"

#include <algorithm>
#include <cmath>

#include "engine/check.h"
#include "engine/checkpoint.h"

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace preceptor {

Image image_grid(const std::vector<Image>& images) {
  require(!images.empty(), "image grid: no images");
  constexpr int gap = 2;
  const int count = static_cast<int>(images.size()), height = images[0].height, width = images[0].width;
  const int columns = static_cast<int>(std::ceil(std::sqrt(count))), rows = (count + columns - 1) / columns;
  int channels = 1;
  for (const Image& image : images) channels = std::max(channels, image.channels);
  Image grid{rows * (height + gap) - gap, columns * (width + gap) - gap, channels, {}};
  grid.pixels.assign(static_cast<std::size_t>(grid.height) * grid.width * channels, 128);
  for (int i = 0; i < count; ++i) {
    const Image image = with_channels(images[static_cast<std::size_t>(i)], channels);
    require(image.height == height && image.width == width, "image grid: image ", i, " has another size");
    const int top = i / columns * (height + gap), left = i % columns * (width + gap);
    const std::size_t row = static_cast<std::size_t>(width) * channels;
    for (int y = 0; y < height; ++y)
      std::copy_n(image.pixels.begin() + static_cast<std::ptrdiff_t>(y * row), row,
                  grid.pixels.begin() + (static_cast<std::ptrdiff_t>(top + y) * grid.width + left) * channels);
  }
  return grid;
}

void write_png(const std::string& path, const Image& image) {
  std::string bytes;
  const auto append = [](void* out, void* data, int size) {
    static_cast<std::string*>(out)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
  };
  const int done = stbi_write_png_to_func(append, &bytes, image.width, image.height, image.channels,
                                          image.pixels.data(), image.width * image.channels);
  if (done == 0) fail(ErrorKind::internal, path, ": the picture cannot be encoded");
  write_file_atomically(path, bytes);
}

}  // namespace preceptor
