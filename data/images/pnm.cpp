// Binary PGM and PPM (Netpbm): a header in text, then samples.
#include <array>
#include <vector>

#include "data/images/decode.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

// Parses the header.
class Header {
 public:
  Header(std::string_view bytes, const std::string& path) : bytes_(bytes), path_(path) {}

  // The next number, up to `most`, after white space and comments.
  int number(int most) {
    while (peek() == '#' || is_space(peek())) {
      if (peek() == '#')
        while (at_ < bytes_.size() && peek() != '\n') ++at_;
      else
        ++at_;
    }
    require_data(is_digit(peek()), path_, ": byte ", at_, ": a number is expected");
    int value = 0;
    for (; is_digit(peek()); ++at_) {
      value = 10 * value + (peek() - '0');
      require_data(value <= most, path_, ": byte ", at_, ": a number above ", most);
    }
    return value;
  }
  // The bytes after the single white space that ends the header.
  std::string_view samples() const {
    require_data(is_space(peek()), path_, ": byte ", at_, ": white space is expected");
    return bytes_.substr(at_ + 1);
  }

 private:
  char peek() const { return at_ < bytes_.size() ? bytes_[at_] : '\0'; }
  static bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }
  static bool is_space(char letter) { return letter == ' ' || (letter >= '\t' && letter <= '\r'); }

  std::string_view bytes_;
  const std::string& path_;
  std::size_t at_ = 2;  // after "P5"
};

}  // namespace

bool is_pnm(std::string_view bytes) { return bytes.starts_with("P5") || bytes.starts_with("P6"); }

Image decode_pnm(std::string_view bytes, const std::string& path, const WindowChoice& window) {
  Header header(bytes, path);
  const int width = header.number(most_pixels), height = header.number(most_pixels), largest = header.number(65535);
  require_image_size(height, width, path);
  require_data(largest > 0, path, ": the largest value is 0");
  const std::string_view samples = header.samples();
  Image image{height, width, bytes[1] == '5' ? 1 : 3, {}};
  const std::size_t count = static_cast<std::size_t>(height) * width * image.channels, size = largest > 255 ? 2 : 1;
  require_data(samples.size() >= count * size, path, ": ends early");
  const auto* from = reinterpret_cast<const std::uint8_t*>(samples.data());
  if (size == 1) {
    std::array<std::uint8_t, 256> scaled{};
    for (int value = 0; value < 256; ++value)
      scaled[value] = static_cast<std::uint8_t>((std::min(value, largest) * 255 + largest / 2) / largest);
    image.pixels.resize(count);
    for (std::size_t i = 0; i < count; ++i) image.pixels[i] = scaled[from[i]];
    return image;
  }
  std::vector<std::uint16_t> deep(count);
  for (std::size_t i = 0; i < count; ++i) deep[i] = static_cast<std::uint16_t>(from[2 * i] << 8 | from[2 * i + 1]);
  image.pixels = to_bytes(deep, image.channels, largest, window);
  return image;
}

}  // namespace preceptor
