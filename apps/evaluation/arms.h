// Finished runs, those that differ in nothing but their seed as one arm, and paired tests between two arms.
#pragma once

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/runs/epoch.h"
#include "data/metrics/significance.h"

namespace preceptor {

// What a run wrote about its training; all empty for a table of predictions, which nobody knows the training of.
struct RunOutcome {
  nlohmann::ordered_json config = nlohmann::ordered_json::object();  // by flag
  nlohmann::ordered_json result = nlohmann::ordered_json::object();  // result.json without the configuration
  std::vector<EpochRow> epochs;                                      // at least up to the best one
  int best_epoch = 0;                                                // from 1
  double seconds = 0;                                                // of its training

  std::string seed() const;  // as JSON has it; empty for a table
  const EpochRow& best() const { return epochs[static_cast<std::size_t>(best_epoch - 1)]; }
};

// Nothing in the files is trusted. Errors: missing_input, with what writes the missing file; data, io.
RunOutcome read_outcome(const std::string& directory);

// Without the options that tell runs of one arm apart: the seed, and the number of threads.
nlohmann::ordered_json config_of_arm(nlohmann::ordered_json config);

// Runs by arm, in the order given. A table is an arm of its own. Run: a RunOutcome.
template <class Run>
std::vector<std::vector<Run>> by_arm(std::vector<Run> runs) {
  std::vector<std::vector<Run>> arms;
  for (Run& run : runs) {
    const auto same = std::ranges::find_if(arms, [&](const std::vector<Run>& arm) {
      return !run.config.empty() && config_of_arm(arm.front().config) == config_of_arm(run.config);
    });
    if (same == arms.end())
      arms.emplace_back().push_back(std::move(run));
    else
      same->push_back(std::move(run));
  }
  return arms;
}

// The macro AUCs of an arm's runs: over seeds, and their mean as an estimate on the images, for compare_aucs().
struct ArmScore {
  std::vector<std::string> seeds;  // [runs]
  std::vector<double> aucs;        // [runs]
  AucEstimate mean;
};
// estimates: [runs], all on the same images.
template <class Run>
ArmScore score_of(const std::vector<Run>& runs, const std::vector<AucEstimate>& estimates) {
  ArmScore score{{}, {}, mean_auc(estimates)};
  for (const Run& run : runs) score.seeds.push_back(run.seed());
  for (const AucEstimate& estimate : estimates) score.aucs.push_back(estimate.auc);
  return score;
}

// Student's paired t test over seeds; nothing unless both arms have the same seeds, in any order, each once, and at
// least two.
std::optional<Difference> compare_by_seed(const ArmScore& arm, const ArmScore& base);

}  // namespace preceptor
