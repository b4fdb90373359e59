// Recognizes formats by content and converts channels; BMP and TGA are decoded by stb_image.
#include "data/images/image.h"

#include <algorithm>
#include <filesystem>
#include <memory>

#include "data/images/decode.h"
#include "engine/files/check.h"
#include "engine/files/file.h"
#include "engine/files/text.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_ONLY_BMP
#define STBI_ONLY_TGA
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

namespace preceptor {
namespace {

constexpr std::uintmax_t most_bytes = 1 << 30;

// stb_image reads missing bytes as zeros or leaves memory uninitialized: this source pads with zeros and remembers it.
struct Source {
  std::string_view rest;
  bool ended_early = false;

  static int read(void* user, char* data, int size) {
    auto& source = *static_cast<Source*>(user);
    const std::size_t wanted = static_cast<std::size_t>(size), given = std::min(wanted, source.rest.size());
    std::copy_n(source.rest.data(), given, data);
    std::fill(data + given, data + wanted, '\0');
    source.rest.remove_prefix(given);
    // stb_image may fill its buffer partly; any other read must be complete.
    constexpr std::size_t buffer = sizeof stbi__context::buffer_start;
    source.ended_early |= given == 0 || (given < wanted && wanted != buffer);
    return static_cast<int>(given);
  }
  static void skip(void* user, int bytes) {
    auto& source = *static_cast<Source*>(user);
    source.ended_early |= bytes > 0 && static_cast<std::size_t>(bytes) > source.rest.size();
    if (bytes > 0) source.rest.remove_prefix(std::min(static_cast<std::size_t>(bytes), source.rest.size()));
  }
  static int at_end(void* user) { return static_cast<Source*>(user)->rest.empty() ? 1 : 0; }
};

Image decode_with_stb(std::string_view file, const std::string& path) {
  const stbi_io_callbacks calls{Source::read, Source::skip, Source::at_end};
  Source header{file}, source{file};
  int width = 0, height = 0, stored = 0;
  require_data(stbi_info_from_callbacks(&calls, &header, &width, &height, &stored) != 0 && !header.ended_early, path,
               ": is not a PNG, JPEG, BMP, TGA, PGM, PPM or DICOM image");
  require_image_size(height, width, path);
  // A run of TGA encodes at most 128 pixels in two bytes.
  require_data(static_cast<std::int64_t>(height) * width / 128 <= static_cast<std::int64_t>(file.size()), path,
               ": ends early");
  const int channels = stored <= 2 ? 1 : 3;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load_from_callbacks(&calls, &source, &width, &height, &stored, channels), stbi_image_free);
  require_data(pixels != nullptr, path, ": cannot be decoded: ", stbi_failure_reason());
  require_data(!source.ended_early, path, ": ends early");
  const std::size_t values = static_cast<std::size_t>(height) * width * channels;
  return {height, width, channels, {pixels.get(), pixels.get() + values}};
}

// PS3.10: a preamble of 128 bytes, whatever they are.
bool is_dicom(std::string_view bytes) { return bytes.size() > 132 && bytes.substr(128, 4) == "DICM"; }

}  // namespace

void require_image_size(std::int64_t height, std::int64_t width, const std::string& path) {
  require_data(height > 0 && width > 0 && height <= most_pixels && width <= most_pixels / height, path, ": is ", height,
               "x", width, " pixels; from 1 to 2^26 are read");
}

Image read_image(const std::string& path, int height, int width, const WindowChoice& window) {
  std::error_code unknown;
  const auto size = std::filesystem::file_size(path, unknown);
  require_data(unknown || size <= most_bytes, path, ": has more than 2^30 bytes");
  const std::string bytes = read_file(path);
  require_data(!bytes.empty(), path, ": is empty");
  if (is_png(bytes)) return decode_png(bytes, path, window);
  if (is_jpeg(bytes)) return decode_jpeg(bytes, path, height, width);
  if (is_pnm(bytes)) return decode_pnm(bytes, path, window);
#ifdef PRECEPTOR_DICOM
  if (is_dicom(bytes)) return decode_dicom(bytes, path, window);
#else
  require_data(!is_dicom(bytes), path, ": is a DICOM file, and this program was built without DCMTK (libdcmtk-dev)");
#endif
  return decode_with_stb(bytes, path);
}

Image read_image(const std::string& path, int channels, int height, int width) {
  return resized(with_channels(read_image(path, height, width), channels), height, width);
}

bool has_image_name(const std::string& path) {
  const std::string ending = lower(std::filesystem::path(path).extension().string());
  for (const char* known : {".png", ".jpg", ".jpeg", ".bmp", ".tga", ".pgm", ".ppm", ".dcm", ".dicom"})
    if (ending == known) return true;
  return false;
}

Image filled(int height, int width, int channels, std::uint8_t value) {
  return {height, width, channels,
          std::vector<std::uint8_t>(static_cast<std::size_t>(height) * width * channels, value)};
}

void paste(const Image& part, Image& into, int top, int left) {
  const auto channels = static_cast<std::size_t>(into.channels);
  const int first = std::max(0, -left), last = std::max(first, std::min(part.width, into.width - left));
  for (int row = std::max(0, -top); row < std::min(part.height, into.height - top); ++row) {
    const std::size_t from = static_cast<std::size_t>(row) * part.width + first;
    const std::size_t to = static_cast<std::size_t>(row + top) * into.width + first + left;
    std::copy_n(part.pixels.data() + from * channels, static_cast<std::size_t>(last - first) * channels,
                into.pixels.data() + to * channels);
  }
}

Image with_channels(const Image& image, int channels) {
  require(channels == 1 || channels == 3, "image: ", channels, " channels; 1 or 3 are possible");
  if (image.channels == channels) return image;
  Image out = filled(image.height, image.width, channels);
  const std::size_t count = static_cast<std::size_t>(image.height) * image.width;
  const std::uint8_t* from = image.pixels.data();
  std::uint8_t* to = out.pixels.data();
  if (channels == 3)
    for (std::size_t i = 0; i < count; ++i) std::fill_n(to + 3 * i, 3, from[i]);
  else
    for (std::size_t i = 0; i < count; ++i)
      to[i] = static_cast<std::uint8_t>((77 * from[3 * i] + 150 * from[3 * i + 1] + 29 * from[3 * i + 2]) >> 8);
  return out;
}

namespace {

// Two frames with the proportions of height x width share a side with the picture: takes the one inside or around it.
Image framed_like(const Image& image, int height, int width, bool inside) {
  require(height > 0 && width > 0, "image: cannot be fitted to ", height, "x", width);
  const std::int64_t across = std::int64_t{image.height} * width, along = std::int64_t{image.width} * height;
  int framed_height = image.height, framed_width = image.width;
  if ((across > along) == inside)
    framed_height = static_cast<int>(std::max<std::int64_t>(1, (along + width / 2) / width));
  else
    framed_width = static_cast<int>(std::max<std::int64_t>(1, (across + height / 2) / height));
  require_image_size(framed_height, framed_width, "image");
  // Halves are rounded towards the upper left, inside as around.
  const auto half = [](int difference) { return (difference - (difference < 0 ? 1 : 0)) / 2; };
  Image frame = filled(framed_height, framed_width, image.channels);
  paste(image, frame, -half(image.height - framed_height), -half(image.width - framed_width));
  return frame;
}

}  // namespace

Image center_of(const Image& image, int height, int width) { return framed_like(image, height, width, true); }
Image bordered(const Image& image, int height, int width) { return framed_like(image, height, width, false); }

}  // namespace preceptor
