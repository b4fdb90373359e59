// What a metric of one label looks at: scores, what is known of the labels, and how often each row counts.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/task.h"

namespace preceptor {

// One finding of all rows, or one class against the rest.
struct Finding {
  std::string name;
  std::vector<double> scores;  // [rows] finite; probabilities where a metric says so
  std::vector<float> labels;   // [rows] above 0.5: positive; NaN: unknown, the row is left out
};

// Findings of multi-label data, each with its column of probabilities [rows, outputs]; of classes each one against the
// rest, and for two classes the second alone (MedMNIST's convention). Errors: usage, where sizes do not fit.
std::vector<Finding> findings_of(Task task, const std::vector<std::string>& label_names,
                                 const std::vector<double>& probabilities, const std::vector<float>& labels);

// How often each row counts, [rows]; empty: once. A bootstrap resample is such counts, so every metric works on
// resamples without copying rows.
using SampleWeights = std::vector<std::uint32_t>;

inline std::uint64_t times_of(const SampleWeights& times, std::size_t row) { return times.empty() ? 1 : times[row]; }

// Errors: usage, "metrics: ..." with the finding's name and the row, where sizes differ or a score is not finite; for
// check_probabilities also where one is not from 0 to 1.
void check(const Finding& finding);
void check_probabilities(const Finding& finding);

}  // namespace preceptor
