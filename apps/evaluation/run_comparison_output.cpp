// Comparisons as text, JSON and CSV.
#include <algorithm>
#include <cmath>

#include "apps/command_line/text_table.h"
#include "apps/evaluation/output.h"
#include "apps/evaluation/run_comparison.h"
#include "apps/runs/results.h"
#include "data/tables/table.h"
#include "engine/files/check.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

using Json = nlohmann::ordered_json;

std::string arm_table(const RunComparison& comparison) {
  TextTable table({"", "AUC macro", "95 % over images", "95 % over seeds", "accuracy", "best epoch", "seconds", "of"});
  for (const ComparedArm& arm : comparison.arms) {
    const ComparedRun& first = arm.runs.front();
    const Interval images = auc_interval(arm.score.mean, units_of(first.source.table, "patient"));
    const bool is_run = !first.config.empty();
    table.add(
        {arm.letter, decimal(images.value), bounds(images), bounds(t_interval(arm.score.aucs)), decimal(arm.accuracy),
         is_run ? std::to_string(first.best_epoch) : "-", is_run ? decimal(first.seconds, 1) : "-",
         first.source.name +
             (is_run ? message(" (", arm.runs.size() == 1 ? "seed " : "seeds ", list(arm.runs, &ComparedRun::seed), ")")
                     : std::string())});
  }
  return table.text();
}

// A row for each arm: of arms there may be dozens.
std::string config_table(const RunComparison& comparison) {
  if (comparison.config_differences.empty()) return "";
  std::vector<std::string> header = {""};
  for (const RunComparison::ConfigRow& option : comparison.config_differences) header.push_back(option.key);
  TextTable table(header);
  for (std::size_t i = 0; i < comparison.arms.size(); ++i) {
    std::vector<std::string> cells = {comparison.arms[i].letter};
    for (const RunComparison::ConfigRow& option : comparison.config_differences) cells.push_back(option.values[i]);
    table.add(cells);
  }
  return "\nwhat differs in the configuration\n" + table.text();
}

std::string difference_table(const RunComparison& comparison) {
  TextTable images({"over images (paired DeLong)", "difference", "95 % interval", "p", "p, Holm", "images for 80 %"});
  TextTable seeds({"over seeds (paired t)", "difference", "95 % interval", "p", "p, Holm"});
  TextTable precisions({"AUPRC macro (paired bootstrap)", "difference", "95 % interval", "p", "p, Holm"});
  TextTable decisions({"decisions (McNemar)", "only this right", "only A right", "p exact", "p corrected"});
  TextTable margins({"non-inferior by image", "lower bound", "p", "shown"});
  bool any_seeds = false, any_decisions = false, any_margin = false;
  for (std::size_t i = 0; i < comparison.differences.size(); ++i) {
    const ArmDifference& one = comparison.differences[i];
    const std::string name = comparison.arms[i + 1].letter + " - " + comparison.arms.front().letter;
    images.add({name, decimal(one.by_image.interval.value, 4, true), bounds(one.by_image.interval, 4, true),
                p_text(one.by_image.p), p_text(one.by_image.p_holm), decimal(one.sample_size, 0)});
    precisions.add({name, decimal(one.precision.interval.value, 4, true), bounds(one.precision.interval, 4, true),
                    p_text(one.precision.p), p_text(one.precision.p_holm)});
    if (one.over_seeds)
      seeds.add({name, decimal(one.over_seeds->interval.value, 4, true), bounds(one.over_seeds->interval, 4, true),
                 p_text(one.over_seeds->p), p_text(one.over_seeds->p_holm)});
    if (one.decisions)
      decisions.add({name, std::to_string(one.decisions->only_first_right),
                     std::to_string(one.decisions->only_second_right), p_text(one.decisions->exact_p),
                     p_text(one.decisions->corrected_p)});
    if (one.non_inferiority)
      margins.add({name, decimal(one.non_inferiority->bound, 4, true), p_text(one.non_inferiority->p),
                   one.non_inferiority->shown ? "yes" : "no"});
    any_seeds |= one.over_seeds.has_value();
    any_decisions |= one.decisions.has_value();
    any_margin |= one.non_inferiority.has_value();
  }
  return "\n" + images.text() + "\n" + precisions.text() + (any_seeds ? "\n" + seeds.text() : "") +
         (any_decisions ? "\n" + decisions.text() : "") + (any_margin ? "\n" + margins.text() : "");
}

std::string subgroup_tables(const RunComparison& comparison) {
  const auto cells = [](const Interval& interval) {
    return decimal(interval.value, 3, true) + " [" + bounds(interval, 3, true) + "]";
  };
  std::string text;
  for (std::size_t i = 0; i < comparison.differences.size(); ++i) {
    const std::string letter = comparison.arms[i + 1].letter;
    for (const auto& [column, groups] : comparison.differences[i].subgroups) {
      TextTable table({"gap by " + column, "images", "AUC, A", "AUC, " + letter, letter + " - A", "sensitivity, A",
                       "sensitivity, " + letter, letter + " - A"});
      for (const GapChange& group : groups)
        table.add({group.name, std::to_string(group.rows), decimal(group.first_auc_gap.value, 3, true),
                   decimal(group.second_auc_gap.value, 3, true), cells(group.auc_change),
                   decimal(group.first_sensitivity_gap.value, 3, true),
                   decimal(group.second_sensitivity_gap.value, 3, true), cells(group.sensitivity_change)});
      text += "\n" + table.text();
    }
  }
  return text;
}

// A row for each label and arm.
std::string label_table(const RunComparison& comparison) {
  TextTable table({"AUC by label", "", "AUC", "less that of A", "95 % interval", "p, Holm"});
  for (std::size_t j = 0; j < comparison.label_names.size(); ++j)
    for (std::size_t i = 0; i < comparison.arms.size(); ++i) {
      const ComparedArm& arm = comparison.arms[i];
      std::vector<std::string> cells = {i == 0 ? comparison.label_names[j] : "", arm.letter,
                                        decimal(arm.labels[j].auc)};
      if (i == 0) {
        cells.insert(cells.end(), 3, "");
      } else {
        const ArmDifference& difference = comparison.differences[i - 1];
        const Interval& interval = difference.labels[j].interval;
        cells.insert(cells.end(), {decimal(interval.value, 4, true), bounds(interval, 4, true),
                                   p_text(difference.labels[j].p_holm)});
      }
      table.add(cells);
    }
  return "\n" + table.text();
}

// A block per epoch (the mean of several where there are more than 40), all arms on one scale.
std::string sparkline(const std::vector<EpochRow>& epochs, double low, double high) {
  static constexpr const char* blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const std::size_t columns = std::min<std::size_t>(epochs.size(), 40);
  std::string line;
  for (std::size_t c = 0; c < columns; ++c) {
    const std::size_t begin = c * epochs.size() / columns, end = (c + 1) * epochs.size() / columns;
    double mean = 0;
    for (std::size_t i = begin; i < end; ++i) mean += epochs[i].val_auc / static_cast<double>(end - begin);
    const double height = high > low ? (mean - low) / (high - low) : 0.5;
    line += std::isnan(mean) ? " " : blocks[static_cast<std::size_t>(std::clamp(height * 8, 0.0, 7.0))];
  }
  return line;
}

std::string learning_curves_text(const RunComparison& comparison) {
  double low = 1, high = 0;
  for (const ComparedArm& arm : comparison.arms)
    for (const ComparedRun& run : arm.runs)
      for (const EpochRow& row : run.epochs) {
        low = std::min(low, std::isnan(row.val_auc) ? low : row.val_auc);
        high = std::max(high, std::isnan(row.val_auc) ? high : row.val_auc);
      }
  if (low > high) return "";
  TextTable table({"validation AUC by epoch", "", "first", "best", "last", "train - val at best"});
  for (const ComparedArm& arm : comparison.arms) {
    for (const ComparedRun& run : arm.runs) {
      if (run.epochs.empty()) continue;
      const EpochRow& best = run.best();
      table.add({arm.letter + ", seed " + run.seed(), sparkline(run.epochs, low, high),
                 decimal(run.epochs.front().val_auc), decimal(best.val_auc), decimal(run.epochs.back().val_auc),
                 decimal(best.train_auc - best.val_auc, 4, true)});
    }
  }
  return "\n" + table.text();
}

Json difference_json(const Difference& difference) {
  return {{"value", difference.interval.value},
          {"low", difference.interval.low},
          {"high", difference.interval.high},
          {"standard_error", difference.standard_error},
          {"p", difference.p},
          {"p_holm", difference.p_holm}};
}

Json arm_json(const RunComparison& comparison, const ComparedArm& arm) {
  Json json;
  json["arm"] = arm.letter;
  json["auc_macro"] = interval_json(auc_interval(arm.score.mean, units_of(arm.runs.front().source.table, "patient")));
  json["auc_over_seeds"] = interval_json(t_interval(arm.score.aucs));
  json["accuracy"] = arm.accuracy;
  for (std::size_t j = 0; j < arm.labels.size(); ++j) json["auc"][comparison.label_names[j]] = arm.labels[j].auc;
  for (std::size_t i = 0; i < arm.runs.size(); ++i) {
    const ComparedRun& run = arm.runs[i];
    Json entry{{"source", run.source.name}, {"auc_macro", arm.score.aucs[i]}};
    if (!run.config.empty()) {
      entry["seed"] = run.config.value("seed", Json());
      entry["best_epoch"] = run.best_epoch;
      entry["seconds"] = run.seconds;
    }
    json["runs"].push_back(entry);
  }
  return json;
}

Json arm_difference_json(const RunComparison& comparison, std::size_t index) {
  const ArmDifference& one = comparison.differences[index];
  Json json{{"arm", comparison.arms[index + 1].letter}, {"against", comparison.arms.front().letter}};
  json["by_image"] = difference_json(one.by_image);
  json["images_needed"] = one.sample_size;
  json["average_precision"] = interval_json(one.precision.interval);
  json["average_precision"]["p"] = one.precision.p;
  json["average_precision"]["p_holm"] = one.precision.p_holm;
  if (one.over_seeds) json["over_seeds"] = difference_json(*one.over_seeds);
  if (one.decisions)
    json["mcnemar"] = {{"only_this_right", one.decisions->only_first_right},
                       {"only_other_right", one.decisions->only_second_right},
                       {"p_exact", one.decisions->exact_p},
                       {"p_corrected", one.decisions->corrected_p}};
  if (one.non_inferiority)
    json["non_inferiority"] = {{"lower_bound", one.non_inferiority->bound},
                               {"p", one.non_inferiority->p},
                               {"shown", one.non_inferiority->shown}};
  for (std::size_t j = 0; j < one.labels.size(); ++j)
    json["labels"][comparison.label_names[j]] = difference_json(one.labels[j]);
  for (const auto& [column, groups] : one.subgroups) {
    Json& list = json["subgroups"][column] = Json::array();
    for (const GapChange& group : groups)
      list.push_back({{"group", group.name},
                      {"n", group.rows},
                      {"auc_gap_other", interval_json(group.first_auc_gap)},
                      {"auc_gap_this", interval_json(group.second_auc_gap)},
                      {"auc_gap_change", interval_json(group.auc_change)},
                      {"sensitivity_gap_other", interval_json(group.first_sensitivity_gap)},
                      {"sensitivity_gap_this", interval_json(group.second_sensitivity_gap)},
                      {"sensitivity_gap_change", interval_json(group.sensitivity_change)}});
  }
  return json;
}

// Runs have other meters where they have other methods; those of any run are columns of all.
std::vector<std::string> all_meters(const RunComparison& comparison) {
  std::vector<std::string> names;
  for (const ComparedArm& arm : comparison.arms)
    for (const ComparedRun& run : arm.runs)
      for (const EpochRow& row : run.epochs)
        for (const Meter& meter : row.meters)
          if (std::ranges::find(names, meter.name) == names.end()) names.push_back(meter.name);
  return names;
}

std::vector<EpochRow> with_meters(std::vector<EpochRow> rows, const std::vector<std::string>& names) {
  for (EpochRow& row : rows) {
    std::vector<Meter> meters;
    for (const std::string& name : names) meters.push_back({name, meter_of(row, name)});
    row.meters = std::move(meters);
  }
  return rows;
}

}  // namespace

std::string comparison_text(const RunComparison& comparison) {
  std::string text = message(comparison.images, " images",
                             comparison.patients > 0 ? message(" of ", comparison.patients, " patients") : "", " (",
                             comparison.split, ")\n\n");
  text += arm_table(comparison) + config_table(comparison);
  if (!comparison.differences.empty()) text += difference_table(comparison);
  return text + label_table(comparison) + subgroup_tables(comparison) + learning_curves_text(comparison);
}

Json comparison_json(const RunComparison& comparison) {
  Json json{{"n", comparison.images}, {"split", comparison.split}};
  if (comparison.patients > 0) json["patients"] = comparison.patients;
  for (const ComparedArm& arm : comparison.arms) json["arms"].push_back(arm_json(comparison, arm));
  json["differences"] = Json::array();
  for (std::size_t i = 0; i < comparison.differences.size(); ++i)
    json["differences"].push_back(arm_difference_json(comparison, i));
  json["config_differences"] = Json::object();
  for (const RunComparison::ConfigRow& row : comparison.config_differences)
    for (std::size_t i = 0; i < row.values.size(); ++i)
      json["config_differences"][row.key][comparison.arms[i].letter] = row.values[i];
  return json;
}

std::string learning_curves_csv(const RunComparison& comparison) {
  std::string text;
  const std::vector<std::string> meters = all_meters(comparison);
  for (const ComparedArm& arm : comparison.arms) {
    for (const ComparedRun& run : arm.runs) {
      if (run.epochs.empty()) continue;
      const std::string csv = metrics_csv(with_meters(run.epochs, meters));
      for (std::size_t begin = 0, end = 0; begin < csv.size(); begin = end + 1) {
        end = csv.find('\n', begin);
        const std::string start = begin == 0 ? "arm,run" : arm.letter + "," + csv_field(run.source.name);
        if (begin > 0 || text.empty()) text += start + "," + csv.substr(begin, end - begin) + "\n";
      }
    }
  }
  return text;
}

}  // namespace preceptor
