// Input of a metric of one label: scores, labels as far as they are known, and the weight of each row.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/task.h"

namespace preceptor {

// One finding for all rows, or one class against the rest.
struct Finding {
  std::string name;
  std::vector<double> scores;  // [rows] finite; probabilities if a metric says so
  std::vector<float> labels;   // [rows] positive if above 0.5, unknown if NaN: the row is left out
};

// Multi-label data: every finding with its column of probabilities [rows, outputs]. Classes: each against the rest, for
// two classes the second alone (MedMNIST's convention). Errors: usage, if sizes do not match.
std::vector<Finding> findings_of(Task task, const std::vector<std::string>& label_names,
                                 const std::vector<double>& probabilities, const std::vector<float>& labels);

// The number of times each row counts, [rows]; empty: once. A bootstrap resample is such counts, so every metric works
// on resamples without copying rows.
using SampleWeights = std::vector<std::uint32_t>;

inline std::uint64_t times_of(const SampleWeights& times, std::size_t row) { return times.empty() ? 1 : times[row]; }

// Errors: usage, "metrics: ..." with the finding's name and the row, if sizes differ or a score is not finite, or not
// from 0 to 1 for check_probabilities, or a label is not a class index for check_classes.
void check(const Finding& finding);
void check_probabilities(const Finding& finding);
void check_classes(const std::vector<float>& labels, int classes);

}  // namespace preceptor
