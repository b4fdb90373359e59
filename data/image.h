// Image files as bytes: the one place where pictures are decoded, converted and resized.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace preceptor {

struct Image {
  int height = 0, width = 0, channels = 0;  // channels is 1 (grey) or 3 (RGB)
  std::vector<std::uint8_t> pixels;         // [height, width, channels]
};

// PNG, JPEG, BMP, TGA, PGM and PPM, told apart by content. Of 16 bits the upper 8 are kept, transparency is dropped. At
// most 2^26 pixels. Errors: missing_input, io; data, "`path`: reason".
Image read_image(const std::string& path);

// Whether the name ends like one of a format that read_image knows, in upper or lower case.
bool has_image_name(const std::string& path);

// Grey becomes three equal channels; colour becomes (77 R + 150 G + 29 B) / 256. Errors: usage, unless channels is 1 or
// 3.
Image with_channels(const Image& image, int channels);

// The whole picture at another size, whatever its proportions. Each axis by linear interpolation, and where it shrinks
// by a triangle that covers two new pixels, so that nothing is skipped: the rule of Pillow and of torchvision's resize
// with antialias. Values are rounded once, at the end. Errors: usage, for sizes below 1.
Image resized(const Image& image, int height, int width);

}  // namespace preceptor
