// A map over the image it belongs to.
#pragma once

#include "data/images/image.h"
#include "models/class_maps.h"

namespace preceptor {

// The image in grey, enlarged or shrunk to `side` pixels along its longer edge, under a map with values from 0 (the
// image alone) to 1 (yellow): from dark red over orange, rising in lightness, so that it can be read without colors.
Image heat_map(const Image& image, const PlaceMap& map, int side);

// The image alone, at the same size.
Image enlarged(const Image& image, int side);

}  // namespace preceptor
