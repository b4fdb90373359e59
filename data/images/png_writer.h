// Encodes pictures as PNG files in memory.
#pragma once

#include <string>

#include "data/images/image.h"

namespace preceptor {

// The bytes of a PNG file with 8 bits per sample; the same image gives the same bytes. Errors: usage, unless height and
// width are at least 1, channels is 1 or 3 and the pixels fill them.
std::string png_bytes(const Image& image);

}  // namespace preceptor
