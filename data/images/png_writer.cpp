// PNG encoding through stb_image_write.
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

#include "engine/files/check.h"

namespace preceptor {

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
