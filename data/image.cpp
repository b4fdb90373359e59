// Decoding through stb_image; conversion and resizing of bytes.
#include "data/image.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>

#include "engine/check.h"
#include "engine/checkpoint.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_ONLY_BMP
#define STBI_ONLY_TGA
#define STBI_ONLY_PNM
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace preceptor {
namespace {

constexpr std::int64_t most_pixels = 1 << 26, most_bytes = 1 << 30;

// What one new pixel of an axis is made of.
struct Tap {
  int first;  // source pixel of the first weight
  std::vector<float> weights;
};

std::vector<Tap> taps(int from, int to) {
  const double scale = static_cast<double>(from) / to, reach = std::max(1.0, scale);
  std::vector<Tap> axis;
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(centre - reach + 0.5)),
              end = std::min(from, static_cast<int>(centre + reach + 0.5));
    std::vector<double> weights;
    double sum = 0;
    for (int source = first; source < end; ++source) {
      weights.push_back(std::max(0.0, 1 - std::abs(source + 0.5 - centre) / reach));
      sum += weights.back();
    }
    Tap tap{first, {}};
    for (const double weight : weights) tap.weights.push_back(static_cast<float>(weight / sum));
    axis.push_back(std::move(tap));
  }
  return axis;
}

std::uint8_t rounded(float value) { return static_cast<std::uint8_t>(std::clamp(value + 0.5f, 0.0f, 255.0f)); }

}  // namespace

Image read_image(const std::string& path) {
  std::error_code unknown;
  const auto size = std::filesystem::file_size(path, unknown);
  require_data(unknown || size <= most_bytes, path, ": has more than 2^30 bytes");
  const std::string file = read_file(path);
  const auto* bytes = reinterpret_cast<const stbi_uc*>(file.data());
  const int length = static_cast<int>(file.size());
  int width = 0, height = 0, stored = 0;
  require_data(stbi_info_from_memory(bytes, length, &width, &height, &stored) != 0, path,
               ": is no PNG, JPEG, BMP, TGA, PGM or PPM image");
  require_data(width > 0 && height > 0 && static_cast<std::int64_t>(width) * height <= most_pixels, path, ": is ",
               height, "x", width, " pixels; at most 2^26 are read");
  const int channels = stored <= 2 ? 1 : 3;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_memory(bytes, length, &width, &height, &stored, channels), stbi_image_free);
  require_data(pixels != nullptr, path, ": cannot be decoded: ", stbi_failure_reason());
  const std::size_t values = static_cast<std::size_t>(height) * width * channels;
  return {height, width, channels, {pixels.get(), pixels.get() + values}};
}

bool has_image_name(const std::string& path) {
  std::string ending = std::filesystem::path(path).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  for (const char* known : {".png", ".jpg", ".jpeg", ".bmp", ".tga", ".pgm", ".ppm"})
    if (ending == known) return true;
  return false;
}

Image with_channels(const Image& image, int channels) {
  require(channels == 1 || channels == 3, "image: ", channels, " channels; 1 or 3 are possible");
  if (image.channels == channels) return image;
  Image out{image.height, image.width, channels, {}};
  const std::size_t count = static_cast<std::size_t>(image.height) * image.width;
  out.pixels.reserve(count * channels);
  for (std::size_t i = 0; i < count; ++i) {
    if (channels == 3)
      out.pixels.insert(out.pixels.end(), 3, image.pixels[i]);
    else
      out.pixels.push_back(static_cast<std::uint8_t>(
          (77 * image.pixels[3 * i] + 150 * image.pixels[3 * i + 1] + 29 * image.pixels[3 * i + 2]) >> 8));
  }
  return out;
}

Image resized(const Image& image, int height, int width) {
  require(height > 0 && width > 0, "image: a size of ", height, "x", width, " is out of range");
  if (image.height == height && image.width == width) return image;
  const auto channels = static_cast<std::size_t>(image.channels);
  const std::size_t row = static_cast<std::size_t>(width) * channels;
  const std::vector<Tap> across = taps(image.width, width), down = taps(image.height, height);
  std::vector<float> narrowed(static_cast<std::size_t>(image.height) * row, 0.0f);
  for (std::size_t y = 0; y < static_cast<std::size_t>(image.height); ++y) {
    const std::uint8_t* source = image.pixels.data() + y * static_cast<std::size_t>(image.width) * channels;
    float* target = narrowed.data() + y * row;
    for (const Tap& tap : across) {
      for (std::size_t t = 0; t < tap.weights.size(); ++t)
        for (std::size_t c = 0; c < channels; ++c)
          target[c] += tap.weights[t] * source[(static_cast<std::size_t>(tap.first) + t) * channels + c];
      target += channels;
    }
  }
  Image out{height, width, image.channels, {}};
  out.pixels.reserve(static_cast<std::size_t>(height) * row);
  std::vector<float> sums(row);
  for (const Tap& tap : down) {
    std::fill(sums.begin(), sums.end(), 0.0f);
    for (std::size_t t = 0; t < tap.weights.size(); ++t) {
      const float* source = narrowed.data() + (static_cast<std::size_t>(tap.first) + t) * row;
      for (std::size_t i = 0; i < row; ++i) sums[i] += tap.weights[t] * source[i];
    }
    std::transform(sums.begin(), sums.end(), std::back_inserter(out.pixels), rounded);
  }
  return out;
}

}  // namespace preceptor
