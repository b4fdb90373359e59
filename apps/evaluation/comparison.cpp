// Scores of arms, and tests of their differences.
#include "apps/evaluation/comparison.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <unordered_map>

#include "apps/inference/operating_point.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

bool same_label(float x, float y) { return x == y || (std::isnan(x) && std::isnan(y)); }

// Puts the rows of a table into the order of the first one.
void align(const PredictionTable& first, PredictionTable& table) {
  require_data(table.task == first.task && table.label_names == first.label_names, table.source,
               ": its labels are not those of ", first.source);
  require_data(table.rows() == first.rows(), table.source, ": has ", table.rows(), " images, ", first.source, " has ",
               first.rows());
  std::unordered_map<std::string, int> rows;
  for (int row = 0; row < table.rows(); ++row) rows.emplace(table.ids[static_cast<std::size_t>(row)], row);
  std::vector<int> order;
  for (const std::string& id : first.ids) {
    const auto found = rows.find(id);
    require_data(found != rows.end(), table.source, ": lacks image '", id.substr(0, 100), "' of ", first.source);
    order.push_back(found->second);
  }
  table = select_rows(table, order);
  const std::size_t width = first.labels.size() / first.ids.size();
  for (std::size_t i = 0; i < table.labels.size(); ++i)
    require_data(same_label(table.labels[i], first.labels[i]), table.source, ": the label of image '",
                 table.ids[i / width].substr(0, 100), "' is ", table.labels[i], ", in ", first.source, " ",
                 first.labels[i]);
}

bool same_images(const PredictionTable& a, const PredictionTable& b) {
  return a.ids == b.ids && a.label_names == b.label_names && std::ranges::equal(a.labels, b.labels, same_label);
}

// [runs][findings]
using ArmRankings = std::vector<std::vector<Ranking>>;

ArmRankings rank_runs(const Arm& arm) {
  ArmRankings runs;
  for (const EvaluatedRun& run : arm.runs) runs.push_back(rank_all(findings(run.source.table)));
  return runs;
}

// The mean over an arm's runs of their macro average precision, on any resample.
double mean_precision(const ArmRankings& runs, const SampleWeights& times) {
  double mean = 0;
  for (const std::vector<Ranking>& run : runs)
    mean += macro_average_precision(run, times) / static_cast<double>(runs.size());
  return mean;
}

ArmScore score_of(const Arm& arm, const ArmRankings& rankings) {
  ArmScore score;
  std::vector<AucEstimate> macros;
  std::vector<std::vector<AucEstimate>> by_label(rankings.front().size());
  const auto count = static_cast<double>(arm.runs.size());
  for (std::size_t i = 0; i < arm.runs.size(); ++i) {
    const EvaluatedRun& run = arm.runs[i];
    std::vector<AucEstimate> labels = estimate_aucs(rankings[i]);
    macros.push_back(mean_auc(labels));
    for (std::size_t j = 0; j < labels.size(); ++j) by_label[j].push_back(std::move(labels[j]));
    score.seeds.push_back(run.seed());
    score.aucs.push_back(macros.back().auc);
    score.accuracy += accuracy_of(run.source.table) / count;
    score.gap += (run.epochs.empty() ? undefined : run.best().train_auc - run.best().val_auc) / count;
    score.seconds += run.seconds / count;
  }
  score.macro = mean_auc(macros);
  for (const std::vector<AucEstimate>& label : by_label) score.labels.push_back(mean_auc(label));
  score.over_seeds = t_interval(score.aucs);
  score.over_images = auc_interval(score.macro, clusters_of(arm.runs.front().source.table, "patient"));
  score.average_precision = mean_precision(rankings, {});
  return score;
}

std::vector<bool> right(const PredictionTable& table) {
  const std::vector<int> chosen = chosen_classes(table);
  std::vector<bool> result;
  for (std::size_t i = 0; i < chosen.size(); ++i) result.push_back(static_cast<float>(chosen[i]) == table.labels[i]);
  return result;
}

std::vector<Decider> deciders(const Arm& arm, const ComparisonOptions& options) {
  std::vector<Decider> result;
  for (const EvaluatedRun& run : arm.runs) {
    const std::vector<Finding> all = findings(run.source.table);
    std::vector<double> thresholds(all.size(), 0.5);
    if (run.source.validation)
      thresholds = fit_operating_point(*run.source.validation, options.rule.value_or(ThresholdRule{})).thresholds;
    result.push_back({all, thresholds});
    if (options.gaps_of_first_runs) break;
  }
  return result;
}

// The stratum of each row: the value of a column, or the class.
Clusters strata_of(const PredictionTable& table, const std::string& name) {
  if (name.empty()) return {};
  if (name == "label") {
    require(table.task != Task::multi_label,
            "--stratify label: an image has several labels here, so it has no one stratum");
    Clusters strata;
    for (const float label : table.labels)
      strata.push_back(std::isnan(label) ? table.outputs() : static_cast<int>(label));
    return strata;
  }
  Clusters strata = clusters_of(table, name);
  require(!strata.empty(), "--stratify ", name, ": ", table.source, " has no such column");
  return strata;
}

ArmDifference difference_of(const Arm& arm, const ArmScore& score, const Arm& base, const ArmScore& base_score,
                            const ComparisonOptions& options) {
  ArmDifference result;
  const PredictionTable &table = arm.runs.front().source.table, &base_table = base.runs.front().source.table;
  BootstrapOptions how = options.resampling(base_table);
  how.strata = strata_of(base_table, options.stratify);
  result.by_image = compare_aucs(score.macro, base_score.macro, how.clusters);
  result.over_seeds = compare_by_seed(score, base_score);
  if (table.task != Task::multi_label) result.decisions = compare_decisions(right(table), right(base_table));
  if (options.margin) result.non_inferiority = non_inferiority(result.by_image, *options.margin);
  const double apart = result.by_image.interval.value;
  result.sample_size = apart != 0 && result.by_image.standard_error >= 0
                           ? sample_size(result.by_image.standard_error, table.rows(), apart)
                           : undefined;
  for (std::size_t j = 0; j < score.labels.size(); ++j)
    result.labels.push_back(compare_aucs(score.labels[j], base_score.labels[j], how.clusters));
  if (options.precisions) {
    const ArmRankings first = rank_runs(base), second = rank_runs(arm);
    const auto difference = [&](const SampleWeights& times) {
      return std::vector{mean_precision(second, times) - mean_precision(first, times)};
    };
    const Bootstrap drawn = bootstrap(difference, table.rows(), how);
    result.precision = {drawn.percentile(0), undefined, drawn.p_of_zero(0)};
  }
  for (const std::string& column : options.subgroups)
    result.subgroups.emplace_back(column, gap_changes(deciders(base, options), deciders(arm, options),
                                                      groups_by(base_table, column, options.minimum_group), how));
  return result;
}

void adjust(std::vector<std::optional<ArmDifference>>& differences) {
  std::vector<Difference*> images, seeds, precisions, labels;
  for (std::optional<ArmDifference>& one : differences) {
    if (!one) continue;
    images.push_back(&one->by_image);
    if (one->over_seeds) seeds.push_back(&*one->over_seeds);
    precisions.push_back(&one->precision);
    for (Difference& label : one->labels) labels.push_back(&label);
  }
  for (const std::vector<Difference*>& family : {images, seeds, precisions, labels}) adjust(family);
}

}  // namespace

const Difference* Comparison::by_image(std::size_t arm) const {
  return differences[arm] ? &differences[arm]->by_image : nullptr;
}

const Difference* Comparison::over_seeds(std::size_t arm) const {
  return differences[arm] && differences[arm]->over_seeds ? &*differences[arm]->over_seeds : nullptr;
}

std::optional<Difference> compare_by_seed(const ArmScore& arm, const ArmScore& base) {
  const auto by_seed = [](const ArmScore& score) {
    std::map<std::string, double> aucs;
    for (std::size_t i = 0; i < score.aucs.size(); ++i)
      if (!score.seeds[i].empty()) aucs.emplace(score.seeds[i], score.aucs[i]);
    return aucs;
  };
  const std::map<std::string, double> ours = by_seed(arm), theirs = by_seed(base);
  if (ours.size() < 2 || ours.size() != arm.aucs.size() || ours.size() != base.aucs.size()) return std::nullopt;
  std::vector<double> values, base_values;
  for (const auto& [seed, auc] : ours) {
    const auto found = theirs.find(seed);
    if (found == theirs.end()) return std::nullopt;
    values.push_back(auc);
    base_values.push_back(found->second);
  }
  return compare_paired(values, base_values);
}

Comparison compare(const std::vector<Arm>& arms, const ComparisonOptions& options) {
  Comparison result;
  for (const Finding& finding : findings(arms.front().runs.front().source.table))
    result.label_names.push_back(finding.name);
  for (const Arm& arm : arms) result.arms.push_back(score_of(arm, rank_runs(arm)));
  result.differences.resize(arms.size());
  for (std::size_t i = 1; i < arms.size(); ++i) {
    const Arm &arm = arms[i], &base = arms.front();
    if (!same_images(arm.runs.front().source.table, base.runs.front().source.table)) continue;
    result.differences[i] = difference_of(arm, result.arms[i], base, result.arms.front(), options);
  }
  adjust(result.differences);
  return result;
}

std::vector<Arm> open_arms(const std::vector<std::string>& inputs, const std::string& split) {
  require(inputs.size() >= 2, "two runs or more are needed to compare; ", inputs.size(), " given");
  std::vector<EvaluatedRun> runs;
  for (const std::string& input : inputs) {
    runs.push_back(open_run(input, split));
    if (runs.size() > 1) align(runs.front().source.table, runs.back().source.table);
  }
  std::vector<Arm> arms = arms_of(std::move(runs));
  for (std::size_t i = 0; i < arms.size(); ++i)
    arms[i].name = i < 26 ? std::string(1, static_cast<char>('A' + i)) : message("A", i);
  return arms;
}

}  // namespace preceptor
