// Labels of two data sets paired by name.
#pragma once

#include <string>
#include <vector>

#include "models/loaded_model.h"

namespace preceptor {

// For each of `wanted` the position of the same finding in `known`, -1 where there is none. Case, blanks, hyphens and
// underscores do not matter, and some findings have two names: Effusion is Pleural Effusion, Hernia is Hiatal Hernia.
std::vector<int> match_labels(const std::vector<std::string>& wanted, const std::vector<std::string>& known);

// The checkpoint with one output for each label in their order: rows of the head are copied, those of labels it does
// not know are zero. head: the name of the network's last layer.
CardCheckpoint with_labels(CardCheckpoint checkpoint, const std::string& head, const std::vector<std::string>& labels,
                           const std::vector<int>& match);

}  // namespace preceptor
