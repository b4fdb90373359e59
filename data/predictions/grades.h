// Cumulative targets: grades as binary labels "above grade k", and the way back (Cheng et al. 2008, Niu et al. 2016).
#pragma once

#include "data/dataset.h"

namespace preceptor {

// The same images for a network with one output for every grade but the last, which is positive if the image's grade is
// above it: independent labels with the names "above GRADE". Errors: usage, unless the data have one label of at least
// three classes in order.
Dataset cumulative_grades(const Dataset& graded);
std::vector<std::string> cumulative_names(const std::vector<std::string>& grades);
// Targets [rows, grades - 1] from grades [rows], and back. Unknown labels are NaN.
std::vector<float> cumulative_targets(const std::vector<float>& labels, int grades);
std::vector<float> grades_from_targets(const std::vector<float>& targets, int grades);

// The median grade of each row of probabilities [rows, grades]: the number of grades that it is above with a
// probability of more than 0.5.
std::vector<int> median_grades(const std::vector<double>& probabilities, int grades);

}  // namespace preceptor
