// Comparisons as text, JSON and CSV.
#include <algorithm>
#include <cmath>
#include <set>

#include "apps/command_line/text_table.h"
#include "apps/evaluation/comparison.h"
#include "apps/runs/results.h"
#include "data/tables/table.h"
#include "engine/files/check.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

using Json = nlohmann::ordered_json;

const PredictionTable& first_table(const std::vector<Arm>& arms) { return arms.front().runs.front().source.table; }

std::string arm_table(const std::vector<Arm>& arms, const Comparison& comparison) {
  TextTable table({"", "AUC macro", "95 % over images", "95 % over seeds", "accuracy", "best epoch", "seconds", "of"});
  for (std::size_t i = 0; i < arms.size(); ++i) {
    const EvaluatedRun& first = arms[i].runs.front();
    const ArmScore& score = comparison.arms[i];
    const bool is_run = !first.config.empty();
    const std::string seeds = message(" (", score.seeds.size() == 1 ? "seed " : "seeds ", list(score.seeds), ")");
    table.add({arms[i].name, decimal(score.over_images.value), bounds(score.over_images), bounds(score.over_seeds),
               decimal(score.accuracy), is_run ? std::to_string(first.best_epoch) : "-",
               is_run ? decimal(first.seconds, 1) : "-", first.source.name + (is_run ? seeds : "")});
  }
  return table.text();
}

// An option that is not the same in all arms.
struct ConfigRow {
  std::string key;
  std::vector<std::string> values;  // [arms]; "-" where it does not stand
};

std::vector<ConfigRow> config_differences(const std::vector<Arm>& arms) {
  std::vector<std::string> keys;
  for (const Arm& arm : arms) {
    const Json config = config_of_arm(arm.runs.front().config);
    for (const auto& [key, value] : config.items())
      if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  }
  std::vector<ConfigRow> rows;
  for (const std::string& key : keys) {
    ConfigRow row{key, {}};
    for (const Arm& arm : arms) {
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

// A row for each arm, of which there may be dozens.
std::string config_table(const std::vector<Arm>& arms) {
  const std::vector<ConfigRow> options = config_differences(arms);
  if (options.empty()) return "";
  std::vector<std::string> header = {""};
  for (const ConfigRow& option : options) header.push_back(option.key);
  TextTable table(header);
  for (std::size_t i = 0; i < arms.size(); ++i) {
    std::vector<std::string> cells = {arms[i].name};
    for (const ConfigRow& option : options) cells.push_back(option.values[i]);
    table.add(cells);
  }
  return "\nwhat differs in the configuration\n" + table.text();
}

// The cells of a difference: its value, interval and p values.
std::vector<std::string> difference_cells(const std::string& name, const Difference& difference) {
  return {name, decimal(difference.interval.value, 4, true), bounds(difference.interval, 4, true), p_text(difference.p),
          p_text(difference.p_holm)};
}

std::string difference_tables(const std::vector<Arm>& arms, const Comparison& comparison) {
  TextTable images({"over images (paired DeLong)", "difference", "95 % interval", "p", "p, Holm", "images for 80 %"});
  TextTable seeds({"over seeds (paired t)", "difference", "95 % interval", "p", "p, Holm"});
  TextTable precisions({"AUPRC macro (paired bootstrap)", "difference", "95 % interval", "p", "p, Holm"});
  TextTable decisions({"decisions (McNemar)", "only this right", "only A right", "p exact", "p corrected"});
  TextTable margins({"non-inferior by image", "lower bound", "p", "shown"});
  for (std::size_t i = 1; i < arms.size(); ++i) {
    const ArmDifference& one = *comparison.differences[i];
    const std::string name = arms[i].name + " - " + arms.front().name;
    std::vector<std::string> by_image = difference_cells(name, one.by_image);
    by_image.push_back(decimal(one.sample_size, 0));
    images.add(by_image);
    precisions.add(difference_cells(name, one.precision));
    if (one.over_seeds) seeds.add(difference_cells(name, *one.over_seeds));
    if (one.decisions)
      decisions.add({name, std::to_string(one.decisions->only_first_right),
                     std::to_string(one.decisions->only_second_right), p_text(one.decisions->exact_p),
                     p_text(one.decisions->corrected_p)});
    if (one.non_inferiority)
      margins.add({name, decimal(one.non_inferiority->bound, 4, true), p_text(one.non_inferiority->p),
                   one.non_inferiority->shown ? "yes" : "no"});
  }
  std::string text;
  for (const TextTable* table : {&images, &precisions, &seeds, &decisions, &margins})
    if (!table->empty()) text += "\n" + table->text();
  return text;
}

std::string subgroup_tables(const std::vector<Arm>& arms, const Comparison& comparison) {
  std::string text;
  for (std::size_t i = 1; i < arms.size(); ++i) {
    const std::string& letter = arms[i].name;
    for (const auto& [column, groups] : comparison.differences[i]->subgroups) {
      TextTable table({"gap by " + column, "images", "AUC, A", "AUC, " + letter, letter + " - A", "sensitivity, A",
                       "sensitivity, " + letter, letter + " - A"});
      for (const GapChange& group : groups)
        table.add({group.name, std::to_string(group.rows), decimal(group.first_auc_gap.value, 3, true),
                   decimal(group.second_auc_gap.value, 3, true), interval_text(group.auc_change, true),
                   decimal(group.first_sensitivity_gap.value, 3, true),
                   decimal(group.second_sensitivity_gap.value, 3, true),
                   interval_text(group.sensitivity_change, true)});
      text += "\n" + table.text();
    }
  }
  return text;
}

// A row for each label and arm.
std::string label_table(const std::vector<Arm>& arms, const Comparison& comparison) {
  TextTable table({"AUC by label", "", "AUC", "less that of A", "95 % interval", "p, Holm"});
  for (std::size_t j = 0; j < comparison.label_names.size(); ++j)
    for (std::size_t i = 0; i < arms.size(); ++i) {
      std::vector<std::string> cells = {i == 0 ? comparison.label_names[j] : "", arms[i].name,
                                        decimal(comparison.arms[i].labels[j].auc)};
      if (i > 0) {
        const Difference& difference = comparison.differences[i]->labels[j];
        cells.insert(cells.end(), {decimal(difference.interval.value, 4, true), bounds(difference.interval, 4, true),
                                   p_text(difference.p_holm)});
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

std::string learning_curves_text(const std::vector<Arm>& arms) {
  double low = 1, high = 0;
  for (const Arm& arm : arms)
    for (const EvaluatedRun& run : arm.runs)
      for (const EpochRow& row : run.epochs) {
        low = std::min(low, std::isnan(row.val_auc) ? low : row.val_auc);
        high = std::max(high, std::isnan(row.val_auc) ? high : row.val_auc);
      }
  if (low > high) return "";
  TextTable table({"validation AUC by epoch", "", "first", "best", "last", "train - val at best"});
  for (const Arm& arm : arms)
    for (const EvaluatedRun& run : arm.runs) {
      if (run.epochs.empty()) continue;
      const EpochRow& best = run.best();
      table.add({arm.name + ", seed " + run.seed(), sparkline(run.epochs, low, high),
                 decimal(run.epochs.front().val_auc), decimal(best.val_auc), decimal(run.epochs.back().val_auc),
                 decimal(best.train_auc - best.val_auc, 4, true)});
    }
  return "\n" + table.text();
}

Json difference_json(const Difference& difference) {
  Json json = interval_json(difference.interval);
  json["standard_error"] = difference.standard_error;
  json["p"] = difference.p;
  json["p_holm"] = difference.p_holm;
  return json;
}

Json arm_json(const Arm& arm, const ArmScore& score, const std::vector<std::string>& label_names) {
  Json json;
  json["arm"] = arm.name;
  json["auc_macro"] = interval_json(score.over_images);
  json["auc_over_seeds"] = interval_json(score.over_seeds);
  json["accuracy"] = score.accuracy;
  for (std::size_t j = 0; j < label_names.size(); ++j) json["auc"][label_names[j]] = score.labels[j].auc;
  for (std::size_t i = 0; i < arm.runs.size(); ++i) {
    const EvaluatedRun& run = arm.runs[i];
    Json entry{{"source", run.source.name}, {"auc_macro", score.aucs[i]}};
    if (!run.config.empty()) {
      entry["seed"] = run.config.value("seed", Json());
      entry["best_epoch"] = run.best_epoch;
      entry["seconds"] = run.seconds;
    }
    json["runs"].push_back(entry);
  }
  return json;
}

Json arm_difference_json(const std::string& name, const std::string& base, const ArmDifference& one,
                         const std::vector<std::string>& label_names) {
  Json json{{"arm", name}, {"against", base}};
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
  for (std::size_t j = 0; j < one.labels.size(); ++j) json["labels"][label_names[j]] = difference_json(one.labels[j]);
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
std::vector<std::string> all_meters(const std::vector<Arm>& arms) {
  std::vector<std::string> names;
  for (const Arm& arm : arms)
    for (const EvaluatedRun& run : arm.runs)
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

std::string comparison_text(const std::vector<Arm>& arms, const Comparison& comparison, const std::string& split) {
  const int patients = count_patients(first_table(arms));
  std::string text = message(first_table(arms).rows(), " images",
                             patients > 0 ? message(" of ", patients, " patients") : "", " (", split, ")\n\n");
  return text + arm_table(arms, comparison) + config_table(arms) + difference_tables(arms, comparison) +
         label_table(arms, comparison) + subgroup_tables(arms, comparison) + learning_curves_text(arms);
}

Json comparison_json(const std::vector<Arm>& arms, const Comparison& comparison, const std::string& split) {
  Json json{{"n", first_table(arms).rows()}, {"split", split}};
  if (const int patients = count_patients(first_table(arms)); patients > 0) json["patients"] = patients;
  for (std::size_t i = 0; i < arms.size(); ++i)
    json["arms"].push_back(arm_json(arms[i], comparison.arms[i], comparison.label_names));
  json["differences"] = Json::array();
  for (std::size_t i = 1; i < arms.size(); ++i)
    json["differences"].push_back(
        arm_difference_json(arms[i].name, arms.front().name, *comparison.differences[i], comparison.label_names));
  json["config_differences"] = Json::object();
  for (const ConfigRow& row : config_differences(arms))
    for (std::size_t i = 0; i < arms.size(); ++i) json["config_differences"][row.key][arms[i].name] = row.values[i];
  return json;
}

std::string learning_curves_csv(const std::vector<Arm>& arms) {
  std::string text;
  const std::vector<std::string> meters = all_meters(arms);
  for (const Arm& arm : arms) {
    for (const EvaluatedRun& run : arm.runs) {
      if (run.epochs.empty()) continue;
      const std::string csv = metrics_csv(with_meters(run.epochs, meters));
      for (std::size_t begin = 0, end = 0; begin < csv.size(); begin = end + 1) {
        end = csv.find('\n', begin);
        const std::string start = begin == 0 ? "arm,run" : arm.name + "," + csv_field(run.source.name);
        if (begin > 0 || text.empty()) text += start + "," + csv.substr(begin, end - begin) + "\n";
      }
    }
  }
  return text;
}

}  // namespace preceptor
