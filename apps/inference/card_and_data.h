// A network and a data set: what the card takes from the images, whether both go together, and access to the images.
#pragma once

#include "data/dataset.h"
#include "data/images/image.h"
#include "models/loaded_model.h"

namespace preceptor {

// Mean and standard deviation of every channel over all pixels of a split; of more than 8192 images over so many,
// evenly spaced. `threads` (0: all cores) read images and change nothing.
void measure_normalization(const Dataset& dataset, const Split& split, int threads, ModelCard& card);

// ImageNet's mean and deviation as torchvision uses them; their averages for a network of 1 channel.
void use_imagenet_normalization(ModelCard& card);

// Throws Error (data) unless the network's channels, task and number of labels are those of the data, and for
// `same_names` the names of the labels too.
void require_fits(const CardCheckpoint& checkpoint, const Dataset& dataset, bool same_names);

// The split "test", "val" or "train" of the data that `spec` names. Errors: data, if it has no images.
const Split& split_named(const Dataset& dataset, const std::string& name, const std::string& spec);

Image image_at(const Dataset& dataset, const Split& split, int position);

}  // namespace preceptor
