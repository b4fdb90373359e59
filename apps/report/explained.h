// Grad-CAM over test images, for the networks of a report.
#pragma once

#include "apps/report/report.h"
#include "data/dataset.h"
#include "engine/context.h"

namespace preceptor {

// Opens the data that the first run was trained on. Errors: those of open_dataset; data, where they have not the test
// images of the run's predictions.
Dataset open_data_of(const Report& report);

// A section with, for up to `most` labels, one arm: the positive test image with the highest and the one with the
// lowest probability, each beside its map; several arms: the positive image on which the arms' first runs disagree
// most, with the map of each that sees images of this size. Errors: data, missing_input.
PictureSection explained_images(const Report& report, const Dataset& data, Context& context, int most);

}  // namespace preceptor
