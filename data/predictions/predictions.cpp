// The prediction table and its file format.
#include "data/predictions/predictions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "data/metrics/decisions.h"
#include "data/predictions/prediction_cells.h"
#include "data/tables/table.h"
#include "engine/files/check.h"
#include "engine/files/file.h"
#include "engine/files/numbers.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

const std::string probability_prefix = "probability:", label_prefix = "label:";

// Columns of the file.
struct Layout {
  std::size_t id = 0, class_label = 0, decision = 0;
  std::vector<std::size_t> finding_labels, probabilities, columns;
};

Layout layout_of(const CsvTable& csv, PredictionTable& table) {
  Layout layout;
  layout.id = csv.find("id");
  require_data(layout.id < csv.header.size(), csv.path, " line 1: no column 'id'");
  layout.class_label = csv.find("label");
  const bool classes = layout.class_label < csv.header.size();
  layout.decision = classes ? csv.find("decision") : csv.header.size();
  for (std::size_t c = 0; c < csv.header.size(); ++c) {
    const std::string& name = csv.header[c];
    if (name.starts_with(probability_prefix)) {
      table.label_names.push_back(name.substr(probability_prefix.size()));
      layout.probabilities.push_back(c);
    } else if (!name.starts_with(label_prefix) && c != layout.id && c != layout.class_label && c != layout.decision) {
      table.columns.push_back({name, {}});
      layout.columns.push_back(c);
    }
  }
  require_data(!layout.probabilities.empty(), csv.path, " line 1: no column 'probability:NAME'");
  for (std::size_t c = 0; c < csv.header.size(); ++c) {
    const std::string& name = csv.header[c];
    if (!name.starts_with(label_prefix)) continue;
    require_data(csv.find(probability_prefix + name.substr(label_prefix.size())) < csv.header.size(), csv.path,
                 " line 1: column '", name.substr(0, 100), "' has no 'probability:' beside it");
  }
  for (const std::string& name : table.label_names) {
    const std::size_t at = csv.find(label_prefix + name);
    require_data(classes != (at < csv.header.size()), csv.path,
                 " line 1: ", classes ? "columns 'label' and 'label:" : "no column 'label:", name.substr(0, 100),
                 classes ? "' are mutually exclusive" : "' and no column 'label'");
    if (!classes) layout.finding_labels.push_back(at);
  }
  require_data(!classes || table.label_names.size() >= 2, csv.path, " line 1: only one class");
  return layout;
}

void require_sum_of_one(const CsvTable& csv, std::size_t row, const PredictionTable& table) {
  double sum = 0;
  for (std::size_t j = 0; j < table.label_names.size(); ++j)
    sum += table.probabilities[table.probabilities.size() - 1 - j];
  require_data(std::abs(sum - 1) <= 1e-3, csv.path, " line ", csv.lines[row],
               ": the probabilities of the classes add up to ", sum);
}

float read_class(const CsvTable& csv, std::size_t row, std::size_t column, std::size_t classes) {
  const std::string expected = message("a class from 0 to ", classes - 1);
  const double value = csv.number(row, column, 0, static_cast<double>(classes - 1), expected);
  if (value != std::floor(value)) csv.reject(row, column, expected);
  return static_cast<float>(value);
}

}  // namespace

const TextColumn* PredictionTable::find(const std::string& name) const {
  const auto found = std::ranges::find(columns, name, &TextColumn::name);
  return found == columns.end() ? nullptr : &*found;
}

std::vector<Finding> findings(const PredictionTable& table) {
  return findings_of(table.task, table.label_names, table.probabilities, table.labels);
}

Clusters clusters_of(const PredictionTable& table, const std::string& column) {
  const TextColumn* found = table.find(column);
  return found == nullptr ? Clusters{} : numbered_values(found->values);
}

std::string age_group(const std::string& age) {
  // DICOM writes years as 058Y.
  const std::optional<double> years = parse_number(age.ends_with('Y') ? age.substr(0, age.size() - 1) : age);
  if (!years || !(*years >= 0 && *years <= 150)) return "";
  constexpr std::array<const char*, 5> names = {"0-19", "20-39", "40-59", "60-79", "80+"};
  return names[std::min<std::size_t>(static_cast<std::size_t>(*years / 20), 4)];
}

std::vector<Group> groups_by(const PredictionTable& table, const std::string& columns, int minimum) {
  std::vector<const TextColumn*> chosen;
  for (const std::string_view name : split(columns, '+')) {
    chosen.push_back(table.find(std::string(name)));
    require(chosen.back() != nullptr, table.source, ": no column '", name, "' to make groups of; there ",
            table.columns.empty() ? "is none" : "are: ", list(table.columns, &TextColumn::name));
  }
  std::map<std::string, Group> groups;
  for (int row = 0; row < table.rows(); ++row) {
    std::vector<std::string> values;
    for (const TextColumn* column : chosen) {
      const std::string& text = column->values[row];
      const std::string value = column->name == "age" ? age_group(text) : text;
      if (!value.empty()) values.push_back(column->name + "=" + value);
    }
    if (values.size() < chosen.size()) continue;
    const std::string name = list(values);
    groups[name].name = name;
    groups[name].rows.push_back(row);
  }
  std::vector<Group> result;
  for (auto& [name, group] : groups)
    if (static_cast<int>(group.rows.size()) >= minimum) result.push_back(std::move(group));
  return result;
}

Evaluation evaluate(const PredictionTable& table, int resamples, std::uint64_t seed) {
  Evaluation result = evaluate_findings(findings(table), {resamples, seed, clusters_of(table, "patient"), {}, 0});
  result.accuracy = accuracy_of(table);
  return result;
}

std::vector<int> chosen_classes(const PredictionTable& table) {
  return table.decisions.empty() ? most_probable(table.probabilities, table.outputs()) : table.decisions;
}

double accuracy_of(const PredictionTable& table) {
  if (table.task == Task::multi_label)
    return accuracy_of(table.task, table.outputs(), table.probabilities, table.labels);
  return ClassConfusion(table.outputs(), chosen_classes(table), table.labels).accuracy();
}

PredictionTable select_rows(const PredictionTable& table, const std::vector<int>& rows) {
  PredictionTable selected;
  selected.source = table.source;
  selected.task = table.task;
  selected.label_names = table.label_names;
  for (const TextColumn& column : table.columns) selected.columns.push_back({column.name, {}});
  const auto outputs = static_cast<std::ptrdiff_t>(table.outputs());
  const std::ptrdiff_t labels = table.task == Task::multi_label ? outputs : 1;
  for (const int row : rows) {
    require(row >= 0 && row < table.rows(), "predictions: row ", row, " of ", table.rows());
    selected.ids.push_back(table.ids[row]);
    if (!table.decisions.empty()) selected.decisions.push_back(table.decisions[row]);
    const auto label = table.labels.begin() + row * labels;
    selected.labels.insert(selected.labels.end(), label, label + labels);
    const auto probability = table.probabilities.begin() + row * outputs;
    selected.probabilities.insert(selected.probabilities.end(), probability, probability + outputs);
    for (std::size_t c = 0; c < table.columns.size(); ++c)
      selected.columns[c].values.push_back(table.columns[c].values[row]);
  }
  return selected;
}

void write_predictions(const std::string& path, const PredictionTable& table) {
  const bool independent = table.task == Task::multi_label;
  const auto outputs = static_cast<std::size_t>(table.outputs());
  std::string text = "id";
  for (const TextColumn& column : table.columns) text += "," + csv_field(column.name);
  if (!independent) text += table.decisions.empty() ? ",label" : ",label,decision";
  if (independent)
    for (const std::string& name : table.label_names) text += "," + csv_field(label_prefix + name);
  for (const std::string& name : table.label_names) text += "," + csv_field(probability_prefix + name);
  text += "\n";
  const std::size_t labels = independent ? outputs : 1;
  for (std::size_t i = 0; i < table.ids.size(); ++i) {
    text += csv_field(table.ids[i]);
    for (const TextColumn& column : table.columns) text += "," + csv_field(column.values[i]);
    for (std::size_t j = 0; j < labels; ++j) {
      const float label = table.labels[i * labels + j];
      text += "," + (std::isnan(label) ? std::string() : number_text(label));
    }
    if (!table.decisions.empty()) text += "," + std::to_string(table.decisions[i]);
    for (std::size_t j = 0; j < outputs; ++j) text += "," + number_text(table.probabilities[i * outputs + j]);
    text += "\n";
  }
  write_file_atomically(path, text);
}

PredictionTable read_predictions(const std::string& path) {
  const CsvTable csv = read_csv(path);
  PredictionTable table;
  table.source = path;
  const Layout layout = layout_of(csv, table);
  const bool classes = layout.finding_labels.empty();
  table.task = classes ? Task::multi_class : Task::multi_label;
  table.ids = csv.ids(layout.id);
  for (std::size_t row = 0; row < csv.rows.size(); ++row) {
    for (const std::size_t column : layout.finding_labels) table.labels.push_back(read_finding_label(csv, row, column));
    if (classes) table.labels.push_back(read_class(csv, row, layout.class_label, table.label_names.size()));
    if (layout.decision < csv.header.size())
      table.decisions.push_back(static_cast<int>(read_class(csv, row, layout.decision, table.label_names.size())));
    for (const std::size_t column : layout.probabilities)
      table.probabilities.push_back(read_probability(csv, row, column));
    if (classes) require_sum_of_one(csv, row, table);
    for (std::size_t c = 0; c < layout.columns.size(); ++c)
      table.columns[c].values.push_back(csv.rows[row][layout.columns[c]]);
  }
  return table;
}

}  // namespace preceptor
