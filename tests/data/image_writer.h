// Image files for tests: grey PGM by hand, the others through stb_image_write.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "data/images/image.h"
#include "tests/data/npz_writer.h"

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image_write.h>
#pragma GCC diagnostic pop

namespace preceptor::test {

// Any picture that is nowhere constant.
inline Image drawn(int height, int width, int channels, std::uint32_t seed = 1) {
  Image image{height, width, channels, {}};
  for (int i = 0; i < height * width * channels; ++i) {
    seed = seed * 1664525u + 1013904223u;
    image.pixels.push_back(static_cast<std::uint8_t>(seed >> 24));
  }
  return image;
}

// "P5" or "P6".
inline std::string pnm(const Image& image) {
  return (image.channels == 1 ? "P5\n" : "P6\n") + std::to_string(image.width) + " " + std::to_string(image.height) +
         "\n255\n" + std::string(image.pixels.begin(), image.pixels.end());
}

inline void append_bytes(void* out, void* data, int bytes) {
  static_cast<std::string*>(out)->append(static_cast<const char*>(data), static_cast<std::size_t>(bytes));
}

inline std::string png(const Image& image) {
  std::string bytes;
  stbi_write_png_to_func(append_bytes, &bytes, image.width, image.height, image.channels, image.pixels.data(), 0);
  return bytes;
}

inline std::string jpeg(const Image& image) {
  std::string bytes;
  stbi_write_jpg_to_func(append_bytes, &bytes, image.width, image.height, image.channels, image.pixels.data(), 90);
  return bytes;
}

}  // namespace preceptor::test
