// Provenance of the numbers: data, configuration, cost, machine and hashes.
#include <algorithm>
#include <cmath>
#include <set>

#include "apps/command_line/progress.h"
#include "apps/report/sections.h"
#include "apps/report/text.h"
#include "apps/runs/results.h"
#include "engine/files/check.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

using Json = nlohmann::ordered_json;

std::string value_text(const Json& value) {
  if (value.is_null()) return "–";
  if (value.is_string()) return value.get<std::string>();
  return value.is_array() ? list(value, value_text) : value.dump();
}

std::string numbers_text(const std::vector<float>& values) {
  std::vector<std::string> parts;
  for (const float value : values) parts.push_back(fixed(value, 4));
  return listed(parts);
}

// Positive images of one label, or images of one class, among those whose label is known.
Cell label_cell(const PredictionTable& table, std::size_t label) {
  const bool findings = table.task == Task::multi_label;
  long long positive = 0, known = 0;
  for (int i = 0; i < table.rows(); ++i) {
    const float value = findings ? table.labels[static_cast<std::size_t>(i) * table.label_names.size() + label]
                                 : table.labels[static_cast<std::size_t>(i)];
    if (std::isnan(value)) continue;
    ++known;
    positive += findings ? value > 0.5f : value == static_cast<float>(label);
  }
  if (known == 0) return {"–", "all unknown"};
  return {grouped(positive), fixed(100.0 * static_cast<double>(positive) / static_cast<double>(known), 1) + " %"};
}

Cell patient_cell(const PredictionTable& table) {
  const TextColumn* column = table.find("patient");
  if (column == nullptr) return {"unknown"};
  return grouped(std::set<std::string>(column->values.begin(), column->values.end()).size());
}

Table split_table(const EvaluatedRun& run) {
  Table table{"Images by split and label", {"", "Validation", "Test"}};
  const double training = number_in(run.result, "train_images");
  const PredictionTable &validation = *run.source.validation, &test = run.source.table;
  table.rows.push_back({"images",
                        {grouped(validation.rows()), grouped(test.rows())},
                        std::isnan(training) ? "" : "trained on " + grouped(static_cast<long long>(training))});
  table.rows.push_back({"patients", {patient_cell(validation), patient_cell(test)}});
  for (std::size_t k = 0; k < test.label_names.size(); ++k)
    table.rows.push_back({test.label_names[k], {label_cell(validation, k), label_cell(test, k)}});
  return table;
}

}  // namespace

Section data_section(const Report& report) {
  Section section{"data", "Data",
                  "Counted in the prediction tables of the runs. Thresholds and the epoch were chosen on validation; "
                  "training looked at the test images once, after that.",
                  ""};
  std::vector<const EvaluatedRun*> shown;
  for (const Arm& arm : report.arms) {
    const EvaluatedRun& run = arm.runs.front();
    const auto same = [&](const EvaluatedRun* other) {
      return other->config.value("data", "") == run.config.value("data", "") &&
             other->source.table.ids == run.source.table.ids;
    };
    if (std::any_of(shown.begin(), shown.end(), same)) continue;
    shown.push_back(&run);
    const ModelCard& card = run.card;
    section.content += definitions(
        {{"Source", run.config.value("data", card.data)},
         {"Task", card.cumulative ? "one grade of several in order, learned as whether it is above each"
                  : card.task == Task::multi_label ? "several labels, each present or absent"
                  : card.task == Task::multi_class ? "one class of several"
                                                   : "one grade of several in order"},
         {"Images", message(card.height, " x ", card.width, " pixels, ",
                            card.network.in_channels == 1 ? "grey" : "colour", "; pixel / 255 normalized by mean ",
                            numbers_text(card.mean), ", deviation ", numbers_text(card.deviation))}});
    section.content += render(split_table(run));
  }
  return section;
}

Section configuration_section(const Report& report) {
  Table differing{"Options that differ", {"Option"}, {}};
  std::vector<std::pair<std::string, std::string>> common;
  std::vector<std::string> names;
  for (const Arm& arm : report.arms) {
    differing.header.push_back(arm.name);
    for (const auto& [name, value] : arm.runs.front().config.items())
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  for (const std::string& name : names) {
    TableRow row{name, {}};
    for (const Arm& arm : report.arms) {
      std::vector<std::string> values;
      for (const EvaluatedRun& run : arm.runs) {
        const auto found = run.config.find(name);
        const std::string text = found == run.config.end() ? "–" : value_text(*found);
        if (std::find(values.begin(), values.end(), text) == values.end()) values.push_back(text);
      }
      row.cells.push_back(listed(values));
    }
    const Cell& first = row.cells.front();
    if (std::all_of(row.cells.begin(), row.cells.end(), [&](const Cell& cell) { return cell.text == first.text; }))
      common.push_back({name, first.text});
    else
      differing.rows.push_back(std::move(row));
  }
  Section section{"configuration", "Configuration", "Every option of the runs, as --help names them.", ""};
  if (!report.settings.empty()) section.content += definitions(report.settings);
  if (!differing.rows.empty()) section.content += render(differing) + "<h3>The same in all</h3>\n";
  section.content += definitions(common, true);
  return section;
}

Section cost_section(const Report& report) {
  Table table{"Cost of training, first seed of each arm",
              {"Arm", "Parameters", "Training", "Images / s", "Peak memory", "Network and step", "Checkpoint"}};
  for (std::size_t i = 0; i < report.arms.size(); ++i) {
    const EvaluatedRun& run = report.arms[i].runs.front();
    const auto memory = [&](const char* name) {
      const double bytes = number_in(run.result, name);
      return std::isnan(bytes) ? std::string("n/a") : byte_count(bytes);
    };
    table.rows.push_back({report.arms[i].name,
                          {grouped(run.parameters),
                           {duration_text(number_in(run.result, "seconds")),
                            counted(static_cast<long long>(run.epochs.size()), "epoch")},
                           fixed(number_in(run.result, "images_per_second"), 0),
                           memory("peak_memory_bytes"),
                           memory("device_memory_bytes"),
                           byte_count(static_cast<double>(run.checkpoint_bytes))},
                          run.card.network.name,
                          arm_style(report, i)});
  }
  return {"cost", "Cost",
          "Images per second of training steps alone. Peak memory is that of the whole process with its data; network "
          "and step are what the device held.",
          render(table)};
}

Section environment_section(const Report& report) {
  Section section{"environment", "Environment and hashes",
                  "<code>sha256sum RUN/best.safetensors</code> prints the same digits: two runs with one configuration "
                  "and seed on one kind of machine give the same file.",
                  ""};
  const Json environment = report.arms.front().runs.front().result.value("environment", Json::object());
  std::vector<std::pair<std::string, std::string>> entries;
  for (const auto& [name, value] : environment.items()) entries.push_back({name, value_text(value)});
  if (!entries.empty()) section.content += definitions(entries);
  Table table{"Checkpoints", {"Run", "Epoch", "SHA-256 of best.safetensors"}};
  for (std::size_t i = 0; i < report.arms.size(); ++i)
    for (const EvaluatedRun& run : report.arms[i].runs)
      table.rows.push_back(
          {run.name, {std::to_string(run.best_epoch), run.checkpoint_digest}, "", arm_style(report, i)});
  section.content += render(table);
  return section;
}

}  // namespace preceptor
