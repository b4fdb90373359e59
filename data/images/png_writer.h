// Pictures to look at: several of one size as one, and PNG files in memory.
#pragma once

#include <string>
#include <vector>

#include "data/images/image.h"

namespace preceptor {

// Row by row with a white line of two pixels between neighbors; the last row is filled up with white. Grey pictures
// among color ones become color. Without pictures the result is empty. Errors: usage, if heights or widths differ or
// columns is below 1.
Image image_grid(const std::vector<Image>& pictures, int columns);

// The bytes of a PNG file with 8 bits per sample; the same image gives the same bytes. Errors: usage, unless height and
// width are at least 1, channels is 1 or 3 and the pixels fill them.
std::string png_bytes(const Image& image);

}  // namespace preceptor
