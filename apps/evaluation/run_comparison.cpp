// Aligns tables, gathers runs to arms and tests their differences.
#include "apps/evaluation/run_comparison.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <set>
#include <unordered_map>

#include "data/metrics/classes.h"
#include "data/metrics/metrics.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

using Json = nlohmann::ordered_json;
constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

ComparedRun open_compared(const std::string& input, const std::string& split) {
  SourceOptions options;
  options.split = split;
  require(std::filesystem::is_directory(input) || input.ends_with(".csv"), input,
          ": neither a run directory nor a table of predictions (.csv)");
  ComparedRun run;
  run.source = open_source(input, options);
  if (std::filesystem::is_directory(input)) static_cast<RunOutcome&>(run) = read_outcome(input);
  return run;
}

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
    require_data(table.labels[i] == first.labels[i] || (std::isnan(table.labels[i]) && std::isnan(first.labels[i])),
                 table.source, ": the label of image '", table.ids[i / width].substr(0, 100), "' is ", table.labels[i],
                 ", in ", first.source, " ", first.labels[i]);
}

std::vector<ComparedArm> gather(std::vector<ComparedRun> runs) {
  std::vector<ComparedArm> arms;
  for (std::vector<ComparedRun>& of_arm : by_arm(std::move(runs))) {
    const std::size_t index = arms.size();
    arms.emplace_back();
    arms.back().letter = index < 26 ? std::string(1, static_cast<char>('A' + index)) : message("A", index);
    arms.back().runs = std::move(of_arm);
  }
  return arms;
}

void measure(ComparedArm& arm) {
  std::vector<AucEstimate> macros;
  std::vector<std::vector<AucEstimate>> by_label;
  for (const ComparedRun& run : arm.runs) {
    const PredictionTable& table = run.source.table;
    std::vector<AucEstimate> labels;
    for (const Finding& finding : findings(table)) labels.push_back(estimate_auc(Ranking(finding)));
    macros.push_back(mean_auc(labels));
    arm.accuracy += accuracy_of(table) / static_cast<double>(arm.runs.size());
    by_label.resize(labels.size());
    for (std::size_t j = 0; j < labels.size(); ++j) by_label[j].push_back(std::move(labels[j]));
  }
  arm.score = score_of(arm.runs, macros);
  for (const std::vector<AucEstimate>& label : by_label) arm.labels.push_back(mean_auc(label));
}

std::vector<bool> right(const PredictionTable& table) {
  const std::vector<int> chosen = chosen_classes(table);
  std::vector<bool> result;
  for (std::size_t i = 0; i < chosen.size(); ++i) result.push_back(static_cast<float>(chosen[i]) == table.labels[i]);
  return result;
}

std::vector<Decider> deciders(const ComparedArm& arm) {
  std::vector<Decider> result;
  for (const ComparedRun& run : arm.runs) {
    const std::vector<Finding> all = findings(run.source.table);
    const std::optional<OperatingPoint> point = operating_point_of(run.source, {});
    result.push_back({all, point ? point->thresholds : std::vector<double>(all.size(), 0.5)});
  }
  return result;
}

// The mean over an arm's runs of their macro average precision, on any resample.
class MeanPrecision {
 public:
  explicit MeanPrecision(const ComparedArm& arm) {
    for (const ComparedRun& run : arm.runs) runs_.push_back(rank_all(findings(run.source.table)));
  }
  double operator()(const SampleWeights& times) const {
    double mean = 0;
    for (const std::vector<Ranking>& run : runs_)
      mean += macro_average_precision(run, times) / static_cast<double>(runs_.size());
    return mean;
  }

 private:
  std::vector<std::vector<Ranking>> runs_;
};

// The stratum of each row: the value of a column, or the class.
Units strata_of(const PredictionTable& table, const std::string& name) {
  if (name.empty()) return {};
  if (name == "label") {
    require(table.task != Task::multi_label,
            "--stratify label: an image has several labels here, so it has no one stratum");
    Units strata;
    for (const float label : table.labels)
      strata.push_back(std::isnan(label) ? table.outputs() : static_cast<int>(label));
    return strata;
  }
  Units strata = units_of(table, name);
  require(!strata.empty(), "--stratify ", name, ": ", table.source, " has no such column");
  return strata;
}

ArmDifference compare_arms(const ComparedArm& arm, const ComparedArm& base, const Units& patients,
                           const ComparisonOptions& options) {
  ArmDifference result;
  result.by_image = compare_aucs(arm.score.mean, base.score.mean, patients);
  result.over_seeds = compare_by_seed(arm.score, base.score);
  const PredictionTable& table = arm.runs.front().source.table;
  if (table.task != Task::multi_label)
    result.decisions = compare_decisions(right(table), right(base.runs.front().source.table));
  if (options.margin) result.non_inferiority = non_inferiority(result.by_image, *options.margin);
  const double apart = result.by_image.interval.value;
  result.sample_size = apart != 0 && result.by_image.standard_error >= 0
                           ? sample_size(result.by_image.standard_error, table.rows(), apart)
                           : undefined;
  for (std::size_t j = 0; j < arm.labels.size(); ++j)
    result.labels.push_back(compare_aucs(arm.labels[j], base.labels[j], patients));
  BootstrapOptions how;
  how.resamples = options.resamples;
  how.seed = options.seed;
  how.units = patients;
  how.strata = strata_of(table, options.stratify);
  how.threads = options.threads;
  const MeanPrecision first(base), second(arm);
  const Bootstrap drawn = bootstrap(
      [&](const SampleWeights& times) { return std::vector{second(times) - first(times)}; }, table.rows(), how);
  result.precision = {drawn.percentile(0), undefined, drawn.p_of_zero(0)};
  for (const std::string& column : options.subgroups)
    result.subgroups.emplace_back(
        column, gap_changes(deciders(base), deciders(arm), groups_by(table, column, options.minimum_group), how));
  return result;
}

void adjust(std::vector<ArmDifference>& differences) {
  std::vector<Difference*> images, seeds, precisions, labels;
  for (ArmDifference& one : differences) {
    images.push_back(&one.by_image);
    if (one.over_seeds) seeds.push_back(&*one.over_seeds);
    precisions.push_back(&one.precision);
    for (Difference& label : one.labels) labels.push_back(&label);
  }
  for (const std::vector<Difference*>& family : {images, seeds, precisions, labels}) adjust(family);
}

std::vector<RunComparison::ConfigRow> config_rows(const std::vector<ComparedArm>& arms) {
  std::vector<std::string> keys;
  for (const ComparedArm& arm : arms) {
    const Json config = config_of_arm(arm.runs.front().config);
    for (const auto& [key, value] : config.items())
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  }
  std::vector<RunComparison::ConfigRow> rows;
  for (const std::string& key : keys) {
    RunComparison::ConfigRow row{key, {}};
    for (const ComparedArm& arm : arms) {
      const Json& config = arm.runs.front().config;
      const auto value = config.find(key);
      row.values.push_back(value == config.end() ? "-"
                           : value->is_string()  ? value->get<std::string>()
                                                 : value->dump());
    }
    if (std::set<std::string>(row.values.begin(), row.values.end()).size() > 1) rows.push_back(row);
  }
  return rows;
}

}  // namespace

RunComparison compare_runs(const std::vector<std::string>& inputs, const ComparisonOptions& options) {
  require(inputs.size() >= 2, "two runs or more are needed to compare; ", inputs.size(), " given");
  std::vector<ComparedRun> runs;
  for (const std::string& input : inputs) {
    runs.push_back(open_compared(input, options.split));
    if (runs.size() > 1) align(runs.front().source.table, runs.back().source.table);
  }
  RunComparison result;
  const PredictionTable& first = runs.front().source.table;
  const Units patients = units_of(first, "patient");
  result.images = first.rows();
  result.patients = static_cast<int>(std::set<std::int32_t>(patients.begin(), patients.end()).size());
  result.split = options.split;
  for (const Finding& finding : findings(first)) result.label_names.push_back(finding.name);
  result.arms = gather(std::move(runs));
  for (ComparedArm& arm : result.arms) measure(arm);
  for (std::size_t i = 1; i < result.arms.size(); ++i)
    result.differences.push_back(compare_arms(result.arms[i], result.arms.front(), patients, options));
  adjust(result.differences);
  result.config_differences = config_rows(result.arms);
  return result;
}

}  // namespace preceptor
