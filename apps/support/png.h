// Pictures as PNG, for contact sheets and previews.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace preceptor {

// pixels [height, width, channels], channels 1 or 3.
std::string png_bytes(int height, int width, int channels, const std::vector<std::uint8_t>& pixels);

// A grid of pictures of one size with a gap between them; cells that were never set are grey.
class ContactSheet {
 public:
  ContactSheet(int rows, int columns, int height, int width);  // of the grid; of a picture

  // [height, width, channels], channels 1 or 3.
  void set(int row, int column, const std::vector<std::uint8_t>& pixels);
  std::string png() const;

 private:
  static constexpr int gap = 2;
  int rows_, columns_, height_, width_;
  std::vector<std::uint8_t> pixels_;  // RGB
};

}  // namespace preceptor
