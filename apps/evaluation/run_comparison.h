// Runs on the same images against each other: by image, over seeds, by label.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/evaluation/arms.h"
#include "apps/evaluation/assessment.h"
#include "data/metrics/subgroup.h"

namespace preceptor {

struct ComparedRun : RunOutcome {
  Source source;
};

struct ComparedArm {
  std::string letter;  // "A" for the first, which the others are compared with
  std::vector<ComparedRun> runs;
  ArmScore score;
  std::vector<AucEstimate> labels;  // the mean over its runs by label
  double accuracy = 0;              // mean over its runs
};

// p values are Holm's too: over the arms, of labels over all labels and arms.
struct ArmDifference {
  Difference by_image;                            // macro AUC, paired DeLong, by patient where known
  std::optional<Difference> over_seeds;           // compare_by_seed()
  Difference precision;                           // macro average precision, paired bootstrap; NaN without resamples
  std::optional<McNemar> decisions;               // of classes, first seeds
  std::optional<NonInferiority> non_inferiority;  // where a margin is given
  double sample_size = 0;                         // to see this difference with 80 % power; NaN where there is none
  std::vector<Difference> labels;
  std::vector<std::pair<std::string, std::vector<GapChange>>> subgroups;  // by column
};

struct ComparisonOptions {
  std::string split = "test";
  std::optional<double> margin;        // of non-inferiority
  std::vector<std::string> subgroups;  // columns, as for assess()
  int minimum_group = 20;
  std::string stratify;  // resample within the values of this column, or of "label"; empty: not
  int resamples = 1000;  // behind the intervals of average precision and gaps
  std::uint64_t seed = 0;
  int threads = 0;
};

struct RunComparison {
  std::vector<std::string> label_names;  // of findings(), in the table's order
  int images = 0, patients = 0;
  std::string split;
  std::vector<ComparedArm> arms;
  std::vector<ArmDifference> differences;  // [arms - 1] of arm i + 1 minus the first

  struct ConfigRow {
    std::string key;
    std::vector<std::string> values;  // [arms]; "-" where it does not stand
  };
  std::vector<ConfigRow> config_differences;
};

// Inputs are run directories or tables of predictions. All tables must hold the same images with the same labels, in
// any order. Errors: usage (fewer than two inputs), data, missing_input, io.
RunComparison compare_runs(const std::vector<std::string>& inputs, const ComparisonOptions& options);

std::string comparison_text(const RunComparison& comparison);
nlohmann::ordered_json comparison_json(const RunComparison& comparison);
// A row per run and epoch: arm, run, and the columns of metrics.csv, with the meters of all runs.
std::string learning_curves_csv(const RunComparison& comparison);

}  // namespace preceptor
