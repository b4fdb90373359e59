// Arms on the same images against each other: by image, over seeds, by label.
#pragma once

#include "apps/evaluation/assessment.h"
#include "data/metrics/significance.h"

namespace preceptor {

// Thresholds are for gaps in sensitivity, the bootstrap is for average precision and gaps.
struct ComparisonOptions : EvaluationOptions {
  std::string split = "test";         // whose predictions open_arms() reads
  std::optional<double> margin = {};  // of non-inferiority
  bool gaps_of_first_runs = false;    // instead of the mean over an arm's runs
  bool precisions = true;             // compare average precisions, by a bootstrap of their own
  std::string stratify = {};          // resample within the values of this column, or of "label"; empty: not
};

// An arm in numbers. Means over its runs, and estimates of those means on the images.
struct ArmScore {
  std::vector<std::string> seeds;   // [runs]
  std::vector<double> aucs;         // [runs] macro
  AucEstimate macro;                // mean over runs
  std::vector<AucEstimate> labels;  // likewise by label
  Interval over_seeds;              // of the macro AUC: Student's, NaN bounds for one run
  Interval over_images;             // DeLong's, by patient where known
  double accuracy = 0, average_precision = 0;
  double gap = 0;      // training minus validation AUC at the chosen epoch; NaN for tables of predictions
  double seconds = 0;  // of a run's training
};

// An arm minus the first. p values are Holm's too: over the arms, and for labels over all labels and arms.
struct ArmDifference {
  Difference by_image;                            // macro AUC, paired DeLong, by patient where known
  std::optional<Difference> over_seeds;           // compare_by_seed()
  Difference precision;                           // macro average precision, paired bootstrap; NaN without resamples
  std::optional<McNemar> decisions;               // for classes, first seeds
  std::optional<NonInferiority> non_inferiority;  // where a margin is given
  double sample_size = 0;                         // to see this difference with 80 % power; NaN where there is none
  std::vector<Difference> labels;
  std::vector<std::pair<std::string, std::vector<GapChange>>> subgroups;  // by column
};

struct Comparison {
  std::vector<std::string> label_names;  // of the first arm's findings()
  std::vector<ArmScore> arms;
  // [arms]; none for the first, and for an arm whose images or labels are not those of the first.
  std::vector<std::optional<ArmDifference>> differences;

  // The macro AUC's difference of an arm; nullptr where there is none.
  const Difference* by_image(std::size_t arm) const;
  const Difference* over_seeds(std::size_t arm) const;
};

// The runs of each arm must have the same images in the same order.
Comparison compare(const std::vector<Arm>& arms, const ComparisonOptions& options);

// Student's paired t test over seeds; nothing unless both arms have the same seeds, in any order, each once, and at
// least two.
std::optional<Difference> compare_by_seed(const ArmScore& arm, const ArmScore& base);

// Arms "A", "B", ... of run directories or tables of predictions, whose rows are put into the order of the first one's.
// Errors: usage (fewer than two inputs), data (other images or labels), missing_input, io.
std::vector<Arm> open_arms(const std::vector<std::string>& inputs, const std::string& split);

std::string comparison_text(const std::vector<Arm>& arms, const Comparison& comparison, const std::string& split);
nlohmann::ordered_json comparison_json(const std::vector<Arm>& arms, const Comparison& comparison,
                                       const std::string& split);
// A row per run and epoch: arm, run, and the columns of metrics.csv, with the meters of all runs.
std::string learning_curves_csv(const std::vector<Arm>& arms);

}  // namespace preceptor
