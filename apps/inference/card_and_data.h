// Where a network meets a data set: what its card takes from the images, and whether both go together.
#pragma once

#include "data/dataset.h"
#include "models/loaded_model.h"

namespace preceptor {

// Mean and standard deviation of every channel over all pixels of a split; of more than 8192 images over so many,
// evenly spaced. `threads` (0: all cores) read images and change nothing.
void measure_normalisation(const Dataset& dataset, const Split& split, int threads, ModelCard& card);

// ImageNet's mean and deviation as torchvision uses them; their averages for a network of 1 channel.
void use_imagenet_normalisation(ModelCard& card);

// Throws Error (data) unless the network's channels, task and number of labels are those of the data, and for
// `same_names` the names of the labels too.
void require_fits(const CardCheckpoint& checkpoint, const Dataset& dataset, bool same_names);

}  // namespace preceptor
