// Pasting, and PNG encoding through stb_image_write.
#include "data/images/png_writer.h"

// The library is a single header, whose functions are defined here. Callers write files themselves.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wconversion"
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

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
  Image grid = filled(down * (first.height + gap) - gap, across * (first.width + gap) - gap, channels, 255);
  for (int i = 0; i < count; ++i)
    paste(with_channels(pictures[i], channels), grid, i / across * (first.height + gap),
          i % across * (first.width + gap));
  return grid;
}

std::string png_bytes(const Image& image) {
  const int height = image.height, width = image.width, channels = image.channels;
  const bool fits = height >= 1 && width >= 1 && (channels == 1 || channels == 3) &&
                    image.pixels.size() == static_cast<std::size_t>(height) * static_cast<std::size_t>(width) *
                                               static_cast<std::size_t>(channels);
  require(fits, "png: ", image.pixels.size(), " bytes are no image of ", height, "x", width, "x", channels);
  std::string bytes;
  const auto append = [](void* out, void* data, int size) {
    static_cast<std::string*>(out)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
  };
  const int done =
      stbi_write_png_to_func(append, &bytes, width, height, channels, image.pixels.data(), width * channels);
  if (done == 0) fail(ErrorKind::internal, "png: an image of ", height, "x", width, " could not be encoded");
  return bytes;
}

}  // namespace preceptor
