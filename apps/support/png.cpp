// Writing through stb_image_write.
#include "apps/support/png.h"

#include "engine/check.h"

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace preceptor {

std::string png_bytes(int height, int width, int channels, const std::vector<std::uint8_t>& pixels) {
  require(pixels.size() == static_cast<std::size_t>(height) * width * channels, "png: ", pixels.size(),
          " bytes for a picture of ", height, "x", width, "x", channels);
  std::string bytes;
  const auto append = [](void* out, void* data, int size) {
    static_cast<std::string*>(out)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
  };
  const int done = stbi_write_png_to_func(append, &bytes, width, height, channels, pixels.data(), width * channels);
  if (done == 0) fail(ErrorKind::internal, "png: a picture of ", height, "x", width, " cannot be written");
  return bytes;
}

ContactSheet::ContactSheet(int rows, int columns, int height, int width)
    : rows_(rows), columns_(columns), height_(height), width_(width) {
  pixels_.assign(static_cast<std::size_t>(rows * (height + gap)) * (columns * (width + gap)) * 3, 96);
}

void ContactSheet::set(int row, int column, const std::vector<std::uint8_t>& pixels) {
  const std::size_t channels = pixels.size() / (static_cast<std::size_t>(height_) * width_);
  const std::size_t pitch = static_cast<std::size_t>(columns_) * (width_ + gap);
  for (int y = 0; y < height_; ++y)
    for (int x = 0; x < width_; ++x)
      for (std::size_t c = 0; c < 3; ++c)
        pixels_[((static_cast<std::size_t>(row) * (height_ + gap) + y) * pitch +
                 static_cast<std::size_t>(column) * (width_ + gap) + x) *
                    3 +
                c] = pixels[(static_cast<std::size_t>(y) * width_ + x) * channels + (channels == 3 ? c : 0)];
}

std::string ContactSheet::png() const {
  return png_bytes(rows_ * (height_ + gap), columns_ * (width_ + gap), 3, pixels_);
}

}  // namespace preceptor
