// Evaluations as JSON, epochs as CSV.
#include "apps/training/results.h"

#include <array>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/check.h"
#include "engine/numbers.h"

namespace preceptor {
namespace {

struct Column {
  const char* name;
  double EpochRow::*value;
};

constexpr std::array<Column, 10> columns = {{{"learning_rate", &EpochRow::learning_rate},
                                             {"train_loss", &EpochRow::train_loss},
                                             {"label_loss", &EpochRow::label_loss},
                                             {"transfer_loss", &EpochRow::transfer_loss},
                                             {"train_auc", &EpochRow::train_auc},
                                             {"val_loss", &EpochRow::val_loss},
                                             {"val_auc", &EpochRow::val_auc},
                                             {"val_accuracy", &EpochRow::val_accuracy},
                                             {"images_per_second", &EpochRow::images_per_second},
                                             {"seconds", &EpochRow::seconds}}};

std::string header() {
  std::string text = "epoch";
  for (const Column& column : columns) text.append(",").append(column.name);
  return text;
}

}  // namespace

nlohmann::ordered_json evaluation_json(const Evaluation& evaluation) {
  nlohmann::ordered_json json;
  json["n"] = evaluation.count;
  json["auc_macro"] = evaluation.auc_macro;
  json["auc_low"] = evaluation.auc_low;
  json["auc_high"] = evaluation.auc_high;
  nlohmann::ordered_json by_label = nlohmann::ordered_json::object();
  for (std::size_t i = 0; i < evaluation.auc.size(); ++i) {
    nlohmann::ordered_json& entry = by_label[evaluation.auc_names[i]];
    if (evaluation.auc[i]) entry = *evaluation.auc[i];
  }
  json["auc"] = by_label;
  json["accuracy"] = evaluation.accuracy;
  json["undefined"] = evaluation.undefined;
  return json;
}

std::string metrics_csv(const std::vector<EpochRow>& rows) {
  std::string text = header() + "\n";
  for (const EpochRow& row : rows) {
    text += std::to_string(row.epoch);
    for (const Column& column : columns) text.append(",").append(number_text(row.*column.value));
    text.push_back('\n');
  }
  return text;
}

std::vector<EpochRow> parse_metrics_csv(const std::string& text, const std::string& path) {
  std::istringstream lines(text);
  std::string line;
  require_data(std::getline(lines, line) && line == header(), path, " line 1: not the header of a run's metrics");
  std::vector<EpochRow> rows;
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    std::string cell;
    EpochRow row;
    const auto number = [&] {
      const std::optional<double> value = std::getline(cells, cell, ',') ? parse_number(cell) : std::nullopt;
      require_data(value.has_value(), path, " line ", rows.size() + 2, ": '", line.substr(0, 200),
                   "' is no row of a run's metrics");
      return *value;
    };
    require_data(number() == static_cast<double>(rows.size() + 1), path, " line ", rows.size() + 2, ": epoch ",
                 rows.size() + 1, " is expected");
    row.epoch = static_cast<int>(rows.size() + 1);
    for (const Column& column : columns) row.*column.value = number();
    rows.push_back(row);
  }
  return rows;
}

}  // namespace preceptor
