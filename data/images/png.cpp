// PNG (ISO/IEC 15948): chunks, then libdeflate for the whole stream at once, then the prediction of every row undone.
#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "data/images/decode.h"
#include "data/images/png_rows.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

enum Color { grey = 0, rgb = 2, palette = 3, grey_alpha = 4, rgb_alpha = 6 };

std::uint32_t big_endian(const char* at) {
  std::uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(at[i]);
  return value;
}

// The content of a file's chunks.
struct Png {
  int height = 0, width = 0, depth = 0, color = 0;
  bool interlaced = false;
  std::string_view colors;  // of the palette: 3 bytes each
  std::string_view stream;  // the compressed rows
  std::string joined;       // holds them if they come in several chunks

  int samples() const { return std::array{1, 0, 3, 1, 2, 0, 4}[color]; }
  int pixel_bits() const { return samples() * depth; }
  std::size_t row_bytes(int pixels) const { return (static_cast<std::size_t>(pixels) * pixel_bits() + 7) / 8; }
  int channels() const { return color == grey || color == grey_alpha ? 1 : 3; }
};

// The picture, or one of the seven that interlacing splits it into (Adam7): pixels (x + i dx, y + j dy).
struct Pass {
  int x, y, dx, dy;
  int columns(int width) const { return (width - x + dx - 1) / dx; }
  int rows(int height) const { return (height - y + dy - 1) / dy; }
};
constexpr Pass whole[] = {{0, 0, 1, 1}};
constexpr Pass adam7[] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                          {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};

std::span<const Pass> passes_of(const Png& png) {
  return png.interlaced ? std::span<const Pass>(adam7) : std::span<const Pass>(whole);
}

void read_header(std::string_view data, Png& png, const std::string& path) {
  require_data(data.size() == 13, path, ": IHDR has ", data.size(), " bytes instead of 13");
  const std::uint32_t width = big_endian(data.data()), height = big_endian(data.data() + 4);
  require_image_size(height, width, path);
  png.width = static_cast<int>(width);
  png.height = static_cast<int>(height);
  png.depth = static_cast<unsigned char>(data[8]);
  png.color = static_cast<unsigned char>(data[9]);
  const bool single = png.color == grey || png.color == palette,
             several = png.color == rgb || png.color == grey_alpha || png.color == rgb_alpha;
  const bool low = png.depth == 1 || png.depth == 2 || png.depth == 4;
  const bool possible =
      (single && low) || ((single || several) && png.depth == 8) || (png.depth == 16 && (png.color == grey || several));
  require_data(possible, path, ": has colour type ", png.color, " with ", png.depth, " bits, which PNG does not allow");
  require_data(data[10] == 0 && data[11] == 0 && (data[12] == 0 || data[12] == 1), path,
               ": has a compression, filter or interlace method that PNG does not allow");
  png.interlaced = data[12] == 1;
}

Png read_chunks(std::string_view bytes, const std::string& path) {
  Png png;
  bool ended = false;
  for (std::size_t at = 8; !ended;) {
    require_data(bytes.size() - at >= 12, path, ": ends early");
    const std::size_t length = big_endian(bytes.data() + at);
    require_data(length <= bytes.size() - at - 12, path, ": ends early");
    const std::string_view name = bytes.substr(at + 4, 4), data = bytes.substr(at + 8, length);
    at += 12 + length;
    require_data(png.height > 0 || name == "IHDR", path, ": does not begin with IHDR");
    const bool critical = (name[0] & 0x20) == 0;  // the others only describe the picture
    if (!critical) continue;
    require_data(libdeflate_crc32(0, name.data(), 4 + length) == big_endian(bytes.data() + at - 4), path, ": byte ",
                 at - 4, ": the checksum of a chunk is wrong: the file is damaged");
    if (name == "IHDR") {
      require_data(png.height == 0, path, ": has two headers");
      read_header(data, png, path);
    } else if (name == "PLTE") {
      require_data(length % 3 == 0 && length <= 768, path, ": its palette has ", length, " bytes");
      png.colors = data;
    } else if (name == "IDAT") {
      if (png.stream.empty()) {
        png.stream = data;
      } else {
        if (png.joined.empty()) png.joined = png.stream;
        png.joined += data;
      }
    } else if (name == "IEND") {
      ended = true;
    } else {
      fail(ErrorKind::data, path, ": has an unknown critical chunk");
    }
  }
  require_data(png.color != palette || !png.colors.empty(), path, ": has no palette");
  return png;
}

using Bytes = std::unique_ptr<std::uint8_t[]>;

// The rows of all passes, each preceded by the byte that names its prediction.
Bytes inflate(const Png& png, const std::string& path) {
  const std::string_view stream = png.joined.empty() ? png.stream : std::string_view(png.joined);
  std::size_t size = 0;
  for (const Pass& pass : passes_of(png))
    if (const int columns = pass.columns(png.width); columns > 0)
      size += static_cast<std::size_t>(pass.rows(png.height)) * (1 + png.row_bytes(columns));
  // A length of 258 bytes takes at least 2 bits.
  require_data(size / 1032 <= stream.size(), path, ": ends early: ", stream.size(), " bytes cannot hold ", png.height,
               "x", png.width, " pixels");
  Bytes rows = std::make_unique_for_overwrite<std::uint8_t[]>(size);
  const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> decompressor(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  if (decompressor == nullptr) throw std::bad_alloc();
  const libdeflate_result result =
      libdeflate_zlib_decompress(decompressor.get(), stream.data(), stream.size(), rows.get(), size, nullptr);
  require_data(result != LIBDEFLATE_SHORT_OUTPUT, path, ": ends early");
  require_data(result != LIBDEFLATE_INSUFFICIENT_SPACE, path, ": holds more than ", png.height, "x", png.width,
               " pixels");
  require_data(result == LIBDEFLATE_SUCCESS, path, ": its compressed data are damaged");
  return rows;
}

// Writes pixel i of a row of 16-bit numbers, without its transparency.
void copy_pixel(const Png& png, const std::uint8_t* row, int i, std::uint16_t* out, const std::string& /*path*/) {
  const std::uint8_t* pixel = row + static_cast<std::size_t>(i) * 2 * png.samples();
  for (int c = 0; c < png.channels(); ++c) out[c] = static_cast<std::uint16_t>(pixel[2 * c] << 8 | pixel[2 * c + 1]);
}
// The same of bytes, or of less: those are scaled to 0..255 or looked up.
void copy_pixel(const Png& png, const std::uint8_t* row, int i, std::uint8_t* out, const std::string& path) {
  if (png.depth == 8 && png.color != palette) {
    std::copy_n(row + static_cast<std::size_t>(i) * png.samples(), png.channels(), out);
    return;
  }
  const std::size_t bit = static_cast<std::size_t>(i) * png.depth;
  const int largest = (1 << png.depth) - 1;
  const int value = row[bit / 8] >> (8 - png.depth - static_cast<int>(bit % 8)) & largest;
  if (png.color == grey) {
    *out = static_cast<std::uint8_t>(value * 255 / largest);
    return;
  }
  require_data(3 * static_cast<std::size_t>(value) < png.colors.size(), path, ": has no colour ", value,
               " in its palette");
  std::memcpy(out, png.colors.data() + 3 * value, 3);
}

// Undoes the prediction of every row and arranges the samples as [height, width, channels].
template <class Sample>
std::vector<Sample> place(const Png& png, std::uint8_t* rows, const std::string& path) {
  const std::size_t channels = png.channels();
  std::vector<Sample> out(static_cast<std::size_t>(png.height) * png.width * channels);
  const bool as_stored = sizeof(Sample) == 1 && png.depth == 8 && (png.color == grey || png.color == rgb);
  for (const Pass& pass : passes_of(png)) {
    const int columns = pass.columns(png.width), count = columns > 0 ? pass.rows(png.height) : 0;
    const PngRows picture{rows, png.row_bytes(std::max(columns, 0)), count, std::max(1, png.pixel_bits() / 8)};
    require_data(unfilter(picture), path, ": a row has a prediction that PNG does not allow");
    for (int row = 0; row < count; ++row) {
      const std::uint8_t* from = picture.row(row);
      Sample* to = out.data() + (static_cast<std::size_t>(pass.y + row * pass.dy) * png.width + pass.x) * channels;
      if (as_stored && pass.dx == 1) {
        std::copy_n(from, columns * channels, to);
      } else {
        for (int i = 0; i < columns; ++i)
          copy_pixel(png, from, i, to + static_cast<std::size_t>(i) * pass.dx * channels, path);
      }
    }
    rows += picture.bytes();
  }
  return out;
}

}  // namespace

bool is_png(std::string_view bytes) { return bytes.starts_with("\x89PNG\r\n\x1a\n"); }

Image decode_png(std::string_view bytes, const std::string& path, const WindowChoice& window) {
  const Png png = read_chunks(bytes, path);
  const Bytes rows = inflate(png, path);
  Image image{png.height, png.width, png.channels(), {}};
  if (png.depth == 16)
    image.pixels = to_bytes(place<std::uint16_t>(png, rows.get(), path), image.channels, 65535, window);
  else
    image.pixels = place<std::uint8_t>(png, rows.get(), path);
  return image;
}

}  // namespace preceptor
