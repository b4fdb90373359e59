// Probabilities written by other programs, alone or joined with labels from a second file.
#include <algorithm>
#include <cctype>
#include <limits>
#include <set>
#include <unordered_map>

#include "data/dataset.h"
#include "data/predictions/prediction_cells.h"
#include "data/predictions/predictions.h"
#include "data/storage/npz.h"
#include "engine/files/check.h"
#include "engine/files/text.h"

namespace preceptor {
namespace {

constexpr const char* only_one_column =
    " line 1: only one column; an image name and a probability per finding are expected";

// "Pleural_Thickening" and "pleural thickening" are one name.
std::string plain(const std::string& name) {
  std::string text;
  for (const char letter : name)
    text += letter == '_' ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return text;
}

std::string finding_name(const std::string& column) {
  for (const std::string prefix : {"probability:", "prob_"})
    if (column.starts_with(prefix) && column.size() > prefix.size()) return column.substr(prefix.size());
  return column;
}

// Our name for a column about the patient or the image; empty for any other.
std::string known_column(const std::string& column) {
  static const std::unordered_map<std::string, std::string> names = {
      {"patient", "patient"}, {"patient id", "patient"}, {"sex", "sex"},   {"gender", "sex"},
      {"patient sex", "sex"}, {"patient gender", "sex"}, {"age", "age"},   {"patient age", "age"},
      {"view", "view"},       {"view position", "view"}, {"site", "site"}, {"hospital", "site"}};
  const auto found = names.find(plain(column));
  return found == names.end() ? "" : found->second;
}

std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> names;
  for (const std::string_view name : split(text, '|'))
    if (!name.empty()) names.push_back(plain(std::string(name)));
  return names;
}

// Labels of images by name.
class TruthFile {
 public:
  explicit TruthFile(const std::string& path) : csv_(read_csv(path)), list_(csv_.find("Finding Labels")) {
    const std::vector<std::string> ids = csv_.ids(0);
    for (std::size_t row = 0; row < ids.size(); ++row) rows_.emplace(ids[row], row);
    if (is_list())
      for (const auto& row : csv_.rows)
        for (std::string& name : split_names(row[list_])) known_.insert(std::move(name));
  }

  std::size_t row_of(const CsvTable& from, std::size_t row) const {
    const auto found = rows_.find(from.rows[row][0]);
    require_data(found != rows_.end(), from.place(row, 0), ": '", from.rows[row][0].substr(0, 100), "' is not in ",
                 csv_.path);
    return found->second;
  }

  // The column of a finding, or the list of all of them. `from` is the place of the finding in the error.
  std::size_t column_of(const std::string& finding, const std::string& from) const {
    if (is_list()) {
      require_data(known_.contains(plain(finding)), from, ": '", finding.substr(0, 100), "' is not a finding of ",
                   csv_.path, ", column 'Finding Labels'");
      return list_;
    }
    for (std::size_t c = 1; c < csv_.header.size(); ++c)
      if (plain(csv_.header[c].starts_with("label:") ? csv_.header[c].substr(6) : csv_.header[c]) == plain(finding))
        return c;
    fail(ErrorKind::data, from, ": '", finding.substr(0, 100), "' is not a column of ", csv_.path);
  }

  float label(std::size_t row, std::size_t column, const std::string& finding) const {
    if (!is_list()) return read_finding_label(csv_, row, column);
    const std::vector<std::string> names = split_names(csv_.rows[row][column]);
    return std::find(names.begin(), names.end(), plain(finding)) != names.end() ? 1.0f : 0.0f;
  }

  std::vector<TextColumn> columns_of(const std::vector<std::size_t>& rows) const {
    std::vector<TextColumn> columns;
    for (std::size_t c = 1; c < csv_.header.size(); ++c) {
      const std::string name = known_column(csv_.header[c]);
      const auto same = [&](const TextColumn& column) { return column.name == name; };
      if (name.empty() || std::any_of(columns.begin(), columns.end(), same)) continue;
      columns.push_back({name, {}});
      for (const std::size_t row : rows) columns.back().values.push_back(csv_.rows[row][c]);
    }
    return columns;
  }

 private:
  bool is_list() const { return list_ < csv_.header.size(); }

  CsvTable csv_;
  std::size_t list_;
  std::unordered_map<std::string, std::size_t> rows_;
  std::set<std::string> known_;
};

ProbabilityTable read_arrays(const std::string& path) {
  const Npz file(path);
  const std::vector<std::string> present = file.names();
  ProbabilityTable table{path, {}, {}, {}};
  std::int64_t outputs = 0;
  for (const std::string part : {"train", "val", "test"}) {
    const std::string name = part + "_teacher_probs", place = path + ": " + name;
    if (std::find(present.begin(), present.end(), name) == present.end()) continue;
    const Array array = file.read(name);
    const bool is_table = array.shape.size() == 2 && array.shape[0] > 0 && array.shape[1] > 0;
    require_data(is_table && array.shape[0] <= std::numeric_limits<int>::max(), place,
                 ": is not a table of probabilities with a row for each image");
    require_data(outputs == 0 || array.shape[1] == outputs, place, " has ", array.shape[1],
                 " columns, the array before it ", outputs);
    outputs = array.shape[1];
    const std::vector<double> probabilities = real_numbers(array, place);
    for (std::size_t i = 0; i < probabilities.size(); ++i)
      require_data(probabilities[i] >= 0 && probabilities[i] <= 1, place, ", row ", i / outputs, ", column ",
                   i % outputs, ": ", probabilities[i], " is not a probability");
    table.probabilities.insert(table.probabilities.end(), probabilities.begin(), probabilities.end());
    for (std::string& id : numbered_ids(part, static_cast<int>(array.shape[0]))) table.ids.push_back(std::move(id));
  }
  require_data(!table.ids.empty(), path,
               ": contains none of train_teacher_probs, val_teacher_probs, test_teacher_probs");
  return table;
}

}  // namespace

PredictionTable read_plain_predictions(const std::string& path, const std::string& labels_path) {
  const CsvTable csv = read_csv(path);
  require_data(csv.header.size() >= 2, path, only_one_column);
  PredictionTable table;
  table.source = path;
  table.task = Task::multi_label;
  table.ids = csv.ids(0);
  const TruthFile truth(labels_path);
  std::vector<std::size_t> columns, rows;
  for (std::size_t c = 1; c < csv.header.size(); ++c) {
    table.label_names.push_back(finding_name(csv.header[c]));
    columns.push_back(truth.column_of(table.label_names.back(), message(path, " line 1")));
  }
  for (std::size_t row = 0; row < csv.rows.size(); ++row) {
    rows.push_back(truth.row_of(csv, row));
    for (std::size_t j = 0; j < columns.size(); ++j) {
      table.probabilities.push_back(read_probability(csv, row, j + 1));
      table.labels.push_back(truth.label(rows.back(), columns[j], table.label_names[j]));
    }
  }
  table.columns = truth.columns_of(rows);
  return table;
}

ProbabilityTable read_probabilities(const std::string& path) {
  if (path.ends_with(".npz")) return read_arrays(path);
  const CsvTable csv = read_csv(path);
  const std::size_t known = csv.find("id"), id = known < csv.header.size() ? known : 0;
  std::vector<std::size_t> marked, others;
  for (std::size_t c = 0; c < csv.header.size(); ++c)
    if (c != id) (finding_name(csv.header[c]) != csv.header[c] ? marked : others).push_back(c);
  const std::vector<std::size_t>& columns = marked.empty() ? others : marked;
  require_data(!columns.empty(), path, only_one_column);
  ProbabilityTable table{path, {}, csv.ids(id), {}};
  for (const std::size_t column : columns) table.label_names.push_back(finding_name(csv.header[column]));
  for (std::size_t row = 0; row < csv.rows.size(); ++row)
    for (const std::size_t column : columns) table.probabilities.push_back(read_probability(csv, row, column));
  return table;
}

}  // namespace preceptor
