// PNG files of every kind for tests: color types, depths, predictions, interlacing.
#pragma once

#include <array>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "tests/data/image_writer.h"

namespace preceptor::test {

inline std::string big_endian(std::uint32_t value) {
  std::string text;
  for (const unsigned shift : {24u, 16u, 8u, 0u}) text += static_cast<char>(value >> shift & 255u);
  return text;
}

inline std::string chunk(const std::string& name, const std::string& content) {
  return big_endian(static_cast<std::uint32_t>(content.size())) + name + content + big_endian(crc32(name + content));
}

struct PngKind {
  int color = 0, depth = 8;  // of ISO/IEC 15948: 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha
  bool interlaced = false;
  int prediction = -1;  // of every row, 0 to 4; -1: each in turn

  int samples() const { return std::array{1, 0, 3, 1, 2, 0, 4}[static_cast<std::size_t>(color)]; }
};

inline std::string png_header(int height, int width, const PngKind& kind) {
  return "\x89PNG\r\n\x1a\n" +
         chunk("IHDR", big_endian(static_cast<std::uint32_t>(width)) + big_endian(static_cast<std::uint32_t>(height)) +
                           static_cast<char>(kind.depth) + static_cast<char>(kind.color) + '\0' + '\0' +
                           static_cast<char>(kind.interlaced));
}

inline std::string deflated(const std::string& bytes) {
  std::vector<unsigned char> copy(bytes.begin(), bytes.end());
  int size = 0;
  unsigned char* packed = stbi_zlib_compress(copy.data(), static_cast<int>(copy.size()), &size, 8);
  const std::string text(reinterpret_cast<char*>(packed), static_cast<std::size_t>(size));
  std::free(packed);
  return text;
}

// One pass: `value(y, x, sample)` of height x width pixels, packed and predicted.
inline std::string png_rows(int height, int width, const PngKind& kind,
                            const std::function<int(int, int, int)>& value) {
  const int samples = kind.samples(), bits = samples * kind.depth;
  const std::size_t row_bytes = (static_cast<std::size_t>(width) * bits + 7) / 8,
                    left = static_cast<std::size_t>(std::max(1, bits / 8));
  std::string out;
  std::vector<int> above(row_bytes, 0);
  for (int y = 0; y < height && width > 0; ++y) {
    std::vector<int> row(row_bytes, 0);
    for (int i = 0; i < width * samples; ++i) {
      const int sample = value(y, i / samples, i % samples);
      const std::size_t bit = static_cast<std::size_t>(i) * kind.depth;
      if (kind.depth == 16) {
        row[bit / 8] = sample >> 8;
        row[bit / 8 + 1] = sample & 255;
      } else {
        row[bit / 8] |= sample << (8 - kind.depth - static_cast<int>(bit % 8));
      }
    }
    const int prediction = kind.prediction >= 0 ? kind.prediction : y % 5;
    out += static_cast<char>(prediction);
    for (std::size_t i = 0; i < row_bytes; ++i) {
      const int a = i >= left ? row[i - left] : 0, b = above[i], c = i >= left ? above[i - left] : 0;
      // The nearest to a + b - c, in the standard's order.
      const int p = a + b - c, to_a = std::abs(p - a), to_b = std::abs(p - b), to_c = std::abs(p - c);
      const int paeth = to_a <= to_b && to_a <= to_c ? a : to_b <= to_c ? b : c;
      const std::array predicted{0, a, b, (a + b) / 2, paeth};
      out += static_cast<char>(row[i] - predicted[static_cast<std::size_t>(prediction)]);
    }
    above = row;
  }
  return out;
}

// samples [height, width, samples] below 2^depth; a palette of 2^depth colors (3 bytes each) for color type 3.
inline std::string png_of(int height, int width, const PngKind& kind, const std::vector<int>& samples,
                          const std::string& palette = "") {
  const auto at = [&](int y, int x, int s) {
    return samples[static_cast<std::size_t>((y * width + x) * kind.samples() + s)];
  };
  std::string rows;
  if (!kind.interlaced) {
    rows = png_rows(height, width, kind, at);
  } else {
    constexpr int adam7[7][4] = {{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4},
                                 {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2}};  // x, y and their steps
    for (const auto& pass : adam7) {
      const int x = pass[0], y = pass[1], dx = pass[2], dy = pass[3];
      rows += png_rows((height - y + dy - 1) / dy, (width - x + dx - 1) / dx, kind,
                       [&](int row, int column, int s) { return at(y + row * dy, x + column * dx, s); });
    }
  }
  return png_header(height, width, kind) + (palette.empty() ? "" : chunk("PLTE", palette)) +
         chunk("IDAT", deflated(rows)) + chunk("IEND", "");
}

}  // namespace preceptor::test
