// Several pictures of one size as one, in rows and columns.
#pragma once

#include <vector>

#include "data/images/image.h"

namespace preceptor {

// Row by row with a white line of two pixels between neighbors; the last row is filled with white. Grey pictures among
// colored ones become colored. No picture gives an empty one. Errors: usage, where heights or widths differ or
// columns is below 1.
Image image_grid(const std::vector<Image>& pictures, int columns);

}  // namespace preceptor
