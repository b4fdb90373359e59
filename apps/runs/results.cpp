// Evaluations as JSON, epochs as CSV.
#include "apps/runs/results.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "data/tables/table.h"
#include "engine/files/check.h"
#include "engine/files/numbers.h"

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
  for (const Meter& meter : row.meters) json[meter.name] = meter.value;
  return json;
}

std::vector<std::pair<std::string, double>> epoch_scalars(const nlohmann::ordered_json& epoch) {
  std::vector<std::pair<std::string, double>> scalars;
  for (const Column& column : columns) scalars.push_back({column.scalar, number_in(epoch, column.name)});
  // Meters are the only values of an event whose names have a group.
  for (const auto& [name, value] : epoch.items())
    if (name.find('/') != std::string::npos) scalars.push_back({name, number_in(epoch, name)});
  return scalars;
}

double number_in(const nlohmann::ordered_json& json, const std::string& name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_number() ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

double meter_of(const EpochRow& row, const std::string& name) {
  const auto found = std::ranges::find(row.meters, name, &Meter::name);
  return found != row.meters.end() ? found->value : std::numeric_limits<double>::quiet_NaN();
}

std::string metrics_csv(const std::vector<EpochRow>& rows) {
  std::string text = "epoch";
  for (const Column& column : columns) text.append(",").append(column.name);
  const std::vector<Meter> meters = rows.empty() ? std::vector<Meter>() : rows.back().meters;
  for (const Meter& meter : meters) text.append(",").append(csv_field(meter.name));
  text.push_back('\n');
  for (const EpochRow& row : rows) {
    text += std::to_string(row.epoch);
    for (const Column& column : columns) text.append(",").append(number_text(row.*column.value));
    for (const Meter& meter : meters) text.append(",").append(number_text(meter_of(row, meter.name)));
    text.push_back('\n');
  }
  return text;
}

std::vector<EpochRow> read_metrics(const std::string& path) {
  TableReader reader(path);
  const std::vector<std::string>& header = reader.header();
  constexpr std::size_t fixed = 1 + columns.size();
  bool known = header.size() >= fixed && header[0] == "epoch";
  for (std::size_t i = 0; known && i < columns.size(); ++i) known = header[1 + i] == columns[i].name;
  for (std::size_t i = fixed; known && i < header.size(); ++i) known = header[i].find('/') != std::string::npos;
  require_data(known, path, " line 1: not the header of a run's metrics");
  std::vector<EpochRow> rows;
  while (reader.next()) {
    const auto number = [&](std::size_t column) {
      const std::optional<double> value = parse_number(reader.field(column));
      if (!value) reader.reject(column, message("'", reader.field(column).substr(0, 100), "' is no number"));
      return *value;
    };
    EpochRow row;
    row.epoch = static_cast<int>(rows.size() + 1);
    if (number(0) != row.epoch) reader.reject(0, message("epoch ", row.epoch, " is expected"));
    for (std::size_t i = 0; i < columns.size(); ++i) row.*columns[i].value = number(1 + i);
    for (std::size_t i = fixed; i < header.size(); ++i) row.meters.push_back({header[i], number(i)});
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace preceptor
