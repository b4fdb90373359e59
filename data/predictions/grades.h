// Grades as yes-or-no questions in order, "is it above grade k", and the way back (Cheng et al. 2008, Niu et al. 2016).
#pragma once

#include "data/dataset.h"

namespace preceptor {

// The same images for a network with an output for every grade but the last: whether the image's grade is above it.
// These are independent labels, by name "above GRADE". Errors: usage, for data without an order of at least three
// classes.
Dataset cumulative_grades(const Dataset& graded);
std::vector<std::string> cumulative_names(const std::vector<std::string>& grades);
// [rows, grades - 1] of grades [rows], and back. What is not known is NaN.
std::vector<float> cumulative_targets(const std::vector<float>& labels, int grades);
std::vector<float> grades_from_targets(const std::vector<float>& targets, int grades);

// Of probabilities [rows, grades]: above how many grades each row is with a probability of more than 0.5.
std::vector<int> median_grades(const std::vector<double>& probabilities, int grades);

}  // namespace preceptor
