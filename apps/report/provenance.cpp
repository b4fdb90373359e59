// What the numbers come from: data, configuration, cost, machine and hashes.
#include <algorithm>
#include <cmath>
#include <set>

#include "apps/report/sections.h"
#include "apps/report/text.h"
#include "apps/support/progress.h"
#include "engine/check.h"

namespace preceptor {
namespace {

using Json = nlohmann::ordered_json;

std::string value_text(const Json& value) {
  if (value.is_null()) return "–";
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const Json& entry : value) text += (text.empty() ? "" : ", ") + value_text(entry);
  return text;
}

double number_in(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_number() ? found->get<double>() : std::nan("");
}

std::string numbers_text(const std::vector<float>& values) {
  std::vector<std::string> parts;
  for (const float value : values) parts.push_back(fixed(value, 4));
  return listed(parts);
}

// Images, patients and shares of positives of one split.
TableRow split_row(const char* name, const PredictionTable& table) {
  TableRow row{name, "", "", {{grouped(table.rows()), "", false}}};
  std::string patients = "unknown";
  if (const PredictionTable::Column* column = table.find("patient"))
    patients =
        grouped(static_cast<long long>(std::set<std::string>(column->values.begin(), column->values.end()).size()));
  row.cells.push_back({patients, "", false});
  for (std::size_t k = 0; k < table.label_names.size(); ++k) {
    long long positive = 0, known = 0;
    for (int i = 0; i < table.rows(); ++i) {
      const bool findings = table.task == Task::multi_label;
      const float label = findings ? table.labels[static_cast<std::size_t>(i) * table.label_names.size() + k]
                                   : table.labels[static_cast<std::size_t>(i)];
      if (std::isnan(label)) continue;
      ++known;
      positive += findings ? label > 0.5f : label == static_cast<float>(k);
    }
    const double share = known == 0 ? std::nan("") : 100.0 * static_cast<double>(positive) / static_cast<double>(known);
    row.cells.push_back({grouped(positive), std::isnan(share) ? "all unknown" : fixed(share, 1) + " %", false});
  }
  return row;
}

bool same_tables(const RunRecord& a, const RunRecord& b) {
  return a.config.value("data", "") == b.config.value("data", "") && a.test.ids == b.test.ids;
}

}  // namespace

Section data_section(const Report& report) {
  Section section{"data", "Data",
                  "Counted in the prediction tables of the runs. Thresholds and the epoch were chosen on validation; "
                  "the test images were used once, after that.",
                  ""};
  std::vector<const RunRecord*> shown;
  for (const RunArm& arm : report.arms) {
    const RunRecord& run = arm.runs.front();
    const auto same = [&](const RunRecord* other) { return same_tables(*other, run); };
    if (std::any_of(shown.begin(), shown.end(), same)) continue;
    shown.push_back(&run);
    const ModelCard& card = run.card;
    section.content += definitions(
        {{"Source", run.config.value("data", card.data)},
         {"Task", card.task == Task::multi_label   ? "several labels, each present or absent"
                  : card.task == Task::multi_class ? "one class of several"
                                                   : "one grade of several in order"},
         {"Images", message(card.height, " x ", card.width, " pixels, ",
                            card.network.in_channels == 1 ? "grey" : "colour", "; pixel / 255 normalised by mean ",
                            numbers_text(card.mean), ", deviation ", numbers_text(card.deviation))}});
    Table table{"Images and positive labels by split", {"Split", "Images", "Patients"}, {}};
    table.header.insert(table.header.end(), card.labels.begin(), card.labels.end());
    table.rows = {split_row("validation", run.validation), split_row("test", run.test)};
    section.content += render(table);
  }
  return section;
}

Section configuration_section(const Report& report) {
  Table differing{"Options that differ", {"Option"}, {}};
  std::vector<std::pair<std::string, std::string>> common;
  std::vector<std::string> names;
  for (const RunArm& arm : report.arms) {
    differing.header.push_back(arm.name);
    for (const auto& [name, value] : arm.runs.front().config.items())
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  for (const std::string& name : names) {
    TableRow row{name, "", "", {}};
    for (const RunArm& arm : report.arms) {
      std::vector<std::string> values;
      for (const RunRecord& run : arm.runs) {
        const auto found = run.config.find(name);
        const std::string text = found == run.config.end() ? "–" : value_text(*found);
        if (std::find(values.begin(), values.end(), text) == values.end()) values.push_back(text);
      }
      row.cells.push_back({listed(values), "", false});
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
              {"Arm", "Parameters", "Training", "Images / s", "Peak memory", "Network and step", "Checkpoint"},
              {}};
  for (std::size_t i = 0; i < report.arms.size(); ++i) {
    const RunRecord& run = report.arms[i].runs.front();
    const auto memory = [&](const char* name) {
      const double bytes = number_in(run.result, name);
      return std::isnan(bytes) ? std::string("n/a") : byte_count(bytes);
    };
    table.rows.push_back({report.arms[i].name,
                          run.card.network.name,
                          arm_style(report, i),
                          {{grouped(static_cast<long long>(run.parameters)), "", false},
                           {duration_text(number_in(run.result, "seconds")),
                            counted(static_cast<long long>(run.epochs.size()), "epoch"), false},
                           {fixed(number_in(run.result, "images_per_second"), 0), "", false},
                           {memory("peak_memory_bytes"), "", false},
                           {memory("device_memory_bytes"), "", false},
                           {byte_count(static_cast<double>(run.checkpoint_bytes)), "", false}}});
  }
  return {
      "cost", "Cost",
      "Images per second of training steps alone. Peak memory is that of the whole process with its data; network and "
      "step are what the device held.",
      render(table)};
}

Section environment_section(const Report& report) {
  Section section{
      "environment", "Environment and hashes",
      "<code>sha256sum RUN/best.safetensors</code> prints the same digits: two runs with one configuration and "
      "seed on one kind of machine give the same file.",
      ""};
  const Json environment = report.arms.front().runs.front().result.value("environment", Json::object());
  std::vector<std::pair<std::string, std::string>> entries;
  for (const auto& [name, value] : environment.items()) entries.push_back({name, value_text(value)});
  if (!entries.empty()) section.content += definitions(entries);
  Table table{"Checkpoints", {"Run", "Epoch", "SHA-256 of best.safetensors"}, {}};
  for (std::size_t i = 0; i < report.arms.size(); ++i)
    for (const RunRecord& run : report.arms[i].runs)
      table.rows.push_back({run.name,
                            "",
                            arm_style(report, i),
                            {{std::to_string(run.best_epoch), "", false}, {run.checkpoint_digest, "", false}}});
  section.content += render(table);
  return section;
}

}  // namespace preceptor
