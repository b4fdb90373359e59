// Pictures for people to look at: images of one size side by side, as a PNG file.
#pragma once

#include <string>
#include <vector>

#include "data/image.h"

namespace preceptor {

// As square as possible, row by row, two grey pixels apart. All images have one size; they may be grey or colour.
Image image_grid(const std::vector<Image>& images);

// Errors: io.
void write_png(const std::string& path, const Image& image);

}  // namespace preceptor
