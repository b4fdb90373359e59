// Sampling weights that show rare classes or findings more often.
#pragma once

#include <vector>

#include "data/dataset.h"

namespace preceptor {

enum class Sampling {
  shuffle,      // every image once
  balanced,     // a class, or a finding (or none of them), drawn evenly; then one of its images
  square_root,  // a class or finding drawn as often as the square root of its images; then one of its images
};

// Weights [count] for LoaderOptions: for each image the sum over its classes or findings of 1 / images (balanced) or
// 1 / sqrt(images). Images without a finding form a group "none" of their own. Empty for shuffle.
std::vector<double> sampling_weights(const Split& split, Task task, int outputs, Sampling sampling);

}  // namespace preceptor
