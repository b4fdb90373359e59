// Fundus photographs: the black border cut away, and brightness made even as is usual for retinopathy.
#pragma once

#include "data/images/image.h"

namespace preceptor {

// The square around the lit disc. A row or column belongs to it if one pixel in 50 of it is brighter than 12 of 255;
// the shorter side is filled up with black on both ends, so that the disc is as wide as the picture even where the
// camera cut its top and bottom. A picture without lit rows is returned as it is.
Image cropped_to_disc(const Image& image);

// 4 (image - local mean) + 128, and 128 outside 0.9 of the disc's radius, where the border would stand out; the mean is
// Gaussian with a deviation of a 30th of the radius (B. Graham, "Kaggle Diabetic Retinopathy Detection competition
// report", 2015). For images that cropped_to_disc gave.
Image without_local_mean(const Image& image);

}  // namespace preceptor
