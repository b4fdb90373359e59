// Scores and labels for tests of metrics.
#pragma once

#include <limits>

#include "data/metrics/finding.h"
#include "data/random.h"

namespace preceptor::test {

inline constexpr float nan = std::numeric_limits<float>::quiet_NaN();
inline constexpr double infinity = std::numeric_limits<double>::infinity();

// Probabilities on `levels` steps (few: many ties); a tenth of the labels is unknown, both classes occur.
inline Finding random_finding(RandomStream& random, int count, int levels) {
  Finding finding;
  for (int i = 0; i < count; ++i) {
    finding.scores.push_back(random.below(static_cast<std::uint32_t>(levels)) / static_cast<double>(levels));
    finding.labels.push_back(random.chance(0.1) ? nan : static_cast<float>(random.below(2)));
  }
  finding.labels[0] = 0;
  finding.labels[1] = 1;
  return finding;
}

// Counts as a bootstrap draws them; the first two rows are always there.
inline SampleWeights random_times(RandomStream& random, std::size_t count) {
  SampleWeights times(count, 0);
  for (std::size_t i = 0; i < count; ++i) ++times[random.below(static_cast<std::uint32_t>(count))];
  times[0] += 1;
  times[1] += 1;
  return times;
}

// Two normal distributions one standard deviation apart: the true AUC is Phi(1 / sqrt(2)).
inline constexpr double true_auc = 0.760249938906;
inline Finding two_normals(RandomStream random, int negatives, int positives, double shift = 1) {
  Finding finding;
  for (int i = 0; i < negatives + positives; ++i) {
    finding.labels.push_back(i < negatives ? 0.0f : 1.0f);
    finding.scores.push_back(random.normal() + (i < negatives ? 0 : shift));
  }
  return finding;
}

}  // namespace preceptor::test
