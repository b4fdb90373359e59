// Runs on the same images against each other: by image, over seeds, by label.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "apps/evaluation/assessment.h"
#include "apps/training/training.h"
#include "data/metrics/significance.h"
#include "data/metrics/subgroup.h"

namespace preceptor {

struct ComparedRun {
  Source source;
  nlohmann::ordered_json config = nlohmann::ordered_json::object();  // of result.json; empty for a table
  std::vector<EpochRow> epochs;                                      // empty for a table
  int best_epoch = 0;
  double seconds = 0;

  std::string seed() const;  // empty for a table
};

// Runs that share every option but the seed (and the number of threads); a table is an arm of its own.
struct ComparedArm {
  std::string letter;  // "A" for the first, which the others are compared with
  std::vector<ComparedRun> runs;
  AucEstimate macro;                // mean over its runs: an estimate on the same images
  std::vector<AucEstimate> labels;  // the same by label
  std::vector<double> seed_aucs;    // macro AUC of each run
  double accuracy = 0;              // mean over its runs
};

struct ArmDifference {
  Difference by_image;                   // macro AUC, paired DeLong, by patient where known
  double by_image_holm = 0;              // over the arms
  std::optional<Difference> over_seeds;  // paired t, where both arms have the same seeds, at least two
  double over_seeds_holm = 0;
  Interval precision;                             // macro average precision, paired bootstrap
  double precision_p = 0, precision_holm = 0;     // NaN without resamples
  std::optional<McNemar> decisions;               // of classes, first seeds
  std::optional<NonInferiority> non_inferiority;  // where a margin is given
  double images_needed = 0;                       // to see this difference with 80 % power; NaN where there is none
  std::vector<Difference> labels;
  std::vector<double> labels_holm;                                        // over all labels and arms
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
