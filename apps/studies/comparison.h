// Arms of a study, trained alike but for one thing, and what their results say about the difference.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/training/training.h"
#include "data/metrics/interval.h"

namespace preceptor {

// One way to train the student; one run per seed.
struct Arm {
  std::string key;    // of folders and results.json: "frozen"
  std::string label;  // for charts: "frozen"
  std::string name;   // for tables: "Frozen-block transfer"
  std::string start;  // which network starts from which values
  std::vector<TrainingResult> runs;
};

// A network that never saw the target's training images, on the target's test images.
struct Reference {
  std::string label, name, network;
  Evaluation test;
  double seconds = 0;  // of its training
};

struct Comparison {
  std::vector<Arm> arms;  // the first is the one that the others are compared with
  std::vector<Reference> references;
  int test_images = 0;
};

struct ArmSummary {
  Interval auc;                                  // test macro AUC over seeds
  double bootstrap_low = 0, bootstrap_high = 0;  // of the first seed's run, over test images
  double gap = 0;                                // training minus validation AUC at the best epoch, mean over seeds
  double seconds = 0;                            // mean of a run
  std::optional<Interval> difference;            // test AUC minus that of the first arm with the same seed
};
ArmSummary summarize(const Comparison& comparison, std::size_t arm);

// One paragraph that says what the numbers show and what they do not.
std::string conclusion(const Comparison& comparison);

// The value with so many decimals; `sign` adds a plus.
std::string fixed(double value, int decimals, bool sign = false);

}  // namespace preceptor
