// A network and a data set: what the card takes from the images, whether both go together, their labels paired by name,
// and access to the images.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/images/image.h"
#include "models/loaded_model.h"

namespace preceptor {

// Mean and standard deviation of every channel over all pixels of a split; of more than 8192 images over so many,
// evenly spaced. `threads` (0: all cores) read images and change nothing.
void measure_normalization(const Dataset& dataset, const Split& split, int threads, ModelCard& card);

// ImageNet's mean and deviation as torchvision uses them; their averages for a network of 1 channel.
void use_imagenet_normalization(ModelCard& card);

// Throws Error (data) unless the network takes images of so many channels as the data have.
void require_channels(const std::string& path, const ModelCard& card, const Dataset& dataset);
// The same for the channels and the task.
void require_same_kind(const CardCheckpoint& checkpoint, const Dataset& dataset);
// The same for channels, task and labels.
void require_fits(const CardCheckpoint& checkpoint, const Dataset& dataset);

// For each of `wanted` the position of the same finding in `known`, -1 where there is none. Case, blanks, hyphens and
// underscores do not matter, and some findings have two names: Effusion is Pleural Effusion, Hernia is Hiatal Hernia.
std::vector<int> match_labels(const std::vector<std::string>& wanted, const std::vector<std::string>& known);

// The checkpoint with one output for each label in their order: rows of the head are copied, those of labels it does
// not know are zero. head: the name of the network's last layer.
CardCheckpoint with_labels(CardCheckpoint checkpoint, const std::string& head, const std::vector<std::string>& labels,
                           const std::vector<int>& match);

// The split "test", "val" or "train" of the data that `spec` names. Errors: data, if it has no images.
const Split& split_named(const Dataset& dataset, const std::string& name, const std::string& spec);

Image image_at(const Dataset& dataset, const Split& split, int position);

}  // namespace preceptor
