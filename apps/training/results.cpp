// Evaluations as JSON, epochs as CSV.
#include "apps/training/results.h"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "engine/check.h"
#include "engine/numbers.h"

namespace preceptor {
namespace {

struct Column {
  const char* name;
  const char* scalar;  // in TensorBoard, which makes a group of what stands before the slash
  double EpochRow::*value;
};

constexpr std::array<Column, 10> columns = {
    {{"learning_rate", "schedule/learning rate", &EpochRow::learning_rate},
     {"train_loss", "loss/training", &EpochRow::train_loss},
     {"label_loss", "loss/training, labels", &EpochRow::label_loss},
     {"transfer_loss", "loss/training, transfer", &EpochRow::transfer_loss},
     {"train_auc", "AUC/training", &EpochRow::train_auc},
     {"val_loss", "loss/validation", &EpochRow::val_loss},
     {"val_auc", "AUC/validation", &EpochRow::val_auc},
     {"val_accuracy", "accuracy/validation", &EpochRow::val_accuracy},
     {"images_per_second", "speed/images per second", &EpochRow::images_per_second},
     {"seconds", "speed/seconds per epoch", &EpochRow::seconds}}};

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

nlohmann::ordered_json epoch_json(const EpochRow& row) {
  nlohmann::ordered_json json;
  for (const Column& column : columns) json[column.name] = row.*column.value;
  return json;
}

std::vector<std::pair<std::string, double>> epoch_scalars(const nlohmann::ordered_json& epoch) {
  std::vector<std::pair<std::string, double>> scalars;
  for (const Column& column : columns) {
    const auto found = epoch.find(column.name);
    const bool known = found != epoch.end() && found->is_number();
    scalars.push_back({column.scalar, known ? found->get<double>() : std::numeric_limits<double>::quiet_NaN()});
  }
  return scalars;
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
