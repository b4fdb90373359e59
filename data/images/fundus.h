// Fundus photographs: cuts away the black border and evens out the brightness, as is usual for retinopathy.
#pragma once

#include "data/images/image.h"

namespace preceptor {

// The square around the lit disc. A row or column belongs to it if one pixel in 50 of it is brighter than 12 of 255;
// the shorter side is padded with black at both ends, so that the disc is as wide as the picture even if the camera cut
// off its top and bottom. A picture without lit rows is returned unchanged.
Image cropped_to_disc(const Image& image);

// 4 (image - local mean) + 128, and 128 outside 0.9 of the disc's radius, because the border would stand out; the mean
// is Gaussian with a standard deviation of 1/30 of the radius (B. Graham, "Kaggle Diabetic Retinopathy Detection
// competition report", 2015). For images from cropped_to_disc.
Image without_local_mean(const Image& image);

}  // namespace preceptor
