// Checkpoints as networks: metadata out and in, and the checks against data.
#include "apps/training/loaded_model.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/training/numbers.h"
#include "engine/check.h"
#include "models/registry.h"

namespace preceptor {
namespace {

using Json = nlohmann::json;
constexpr const char* format_name = "preceptor-1";

class MetadataReader {
 public:
  MetadataReader(const Metadata& metadata, const std::string& path) : metadata_(metadata), path_(path) {}

  std::string text(const char* key) const {
    const auto found = metadata_.find(key);
    require_data(found != metadata_.end(), path_, ": the metadata lack '", key, "'");
    return found->second;
  }
  double number(const char* key, double low, double high) const {
    const std::optional<double> value = parse_number(text(key));
    // A NaN is legal where it stands for an undefined AUC, and passes because the comparison is negated.
    require_data(value && !(*value < low || *value > high), path_, ": the metadata's ", key, " is '",
                 text(key).substr(0, 100), "'");
    return *value;
  }
  int count(const char* key) const {
    const double value = number(key, 0, 1 << 30);
    require_data(value == std::floor(value), path_, ": the metadata's ", key, " is no count");
    return static_cast<int>(value);
  }
  Json array(const char* key, int size) const {
    const Json json = Json::parse(text(key), nullptr, false);
    require_data(json.is_array() && json.size() == static_cast<std::size_t>(size), path_, ": the metadata's ", key,
                 " is no list of ", size);
    return json;
  }

 private:
  const Metadata& metadata_;
  const std::string& path_;
};

std::vector<float> channel_values(const MetadataReader& reader, const char* key, int channels, float low,
                                  const std::string& path) {
  std::vector<float> values;
  for (const Json& entry : reader.array(key, channels)) {
    require_data(entry.is_number(), path, ": the metadata's ", key, " holds something else than numbers");
    values.push_back(entry.get<float>());
    require_data(values.back() >= low && values.back() <= 1e6f, path, ": the metadata's ", key, " holds ",
                 values.back());
  }
  return values;
}

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.size() > 200 ? text.substr(0, 200) + " ..." : text;
}

}  // namespace

Metadata to_metadata(const ModelCard& card) {
  Metadata metadata = describe(card.network);
  metadata["format"] = format_name;
  metadata["version"] = PRECEPTOR_VERSION;
  metadata["task"] = to_string(card.task);
  metadata["height"] = std::to_string(card.height);
  metadata["width"] = std::to_string(card.width);
  metadata["mean"] = Json(card.mean).dump();
  metadata["deviation"] = Json(card.deviation).dump();
  metadata["labels"] = Json(card.labels).dump();
  metadata["data"] = card.data;
  metadata["epoch"] = std::to_string(card.epoch);
  metadata["val_auc"] = number_text(card.val_auc);
  return metadata;
}

bool has_card(const Metadata& metadata) {
  const auto found = metadata.find("format");
  return found != metadata.end() && found->second == format_name;
}

ModelCard card_from(const Metadata& metadata, const std::string& path) {
  const MetadataReader reader(metadata, path);
  require_data(has_card(metadata), path, ": not a checkpoint of preceptor-train (its metadata hold no format ",
               format_name, "); preceptor-import makes one of weights from elsewhere");
  ModelCard card;
  card.network = options_from(metadata, path);
  require_data(card.network.in_channels == 1 || card.network.in_channels == 3, path, ": ", card.network.in_channels,
               " input channels; 1 or 3 are possible");
  bool known = false;
  for (const Task task : {Task::multi_class, Task::multi_label, Task::ordinal}) {
    if (reader.text("task") != to_string(task)) continue;
    card.task = task;
    known = true;
  }
  require_data(known, path, ": the metadata's task '", reader.text("task").substr(0, 100), "' is unknown");
  card.height = reader.count("height");
  card.width = reader.count("width");
  card.mean = channel_values(reader, "mean", card.network.in_channels, -1e6f, path);
  card.deviation = channel_values(reader, "deviation", card.network.in_channels, 1e-6f, path);
  for (const Json& entry : reader.array("labels", card.network.outputs)) {
    require_data(entry.is_string(), path, ": the metadata's labels hold something else than names");
    card.labels.push_back(entry.get<std::string>());
  }
  card.data = reader.text("data");
  card.epoch = reader.count("epoch");
  card.val_auc = reader.number("val_auc", 0, 1);
  return card;
}

CardCheckpoint load_card_checkpoint(const std::string& path) {
  Checkpoint checkpoint = load_safetensors(path);
  return {path, card_from(checkpoint.metadata, path), std::move(checkpoint.tensors)};
}

void measure_normalisation(const Dataset& dataset, const Split& split, ModelCard& card) {
  const auto channels = static_cast<std::size_t>(dataset.channels);
  // Whole numbers, so the result does not depend on the order: 2^64 / 255^2 leaves room for 10^14 pixels.
  std::vector<std::uint64_t> sum(channels, 0), squares(channels, 0);
  for (std::size_t i = 0; i < split.images.size(); ++i) {
    const std::uint64_t value = split.images[i];
    sum[i % channels] += value;
    squares[i % channels] += value * value;
  }
  const double pixels = static_cast<double>(split.images.size() / channels);
  card.mean.clear();
  card.deviation.clear();
  for (std::size_t c = 0; c < channels; ++c) {
    const double mean = static_cast<double>(sum[c]) / pixels;
    const double variance = static_cast<double>(squares[c]) / pixels - mean * mean;
    card.mean.push_back(static_cast<float>(mean / 255));
    // Images of one grey value have no deviation to divide by.
    card.deviation.push_back(static_cast<float>(std::max(std::sqrt(std::max(variance, 0.0)), 1.0) / 255));
  }
}

void load_parameters(Network& network, const CardCheckpoint& checkpoint, const std::vector<std::string>& except) {
  try {
    network.parameters().load(checkpoint.tensors, except);
  } catch (const Error& error) {
    fail(ErrorKind::data, checkpoint.path, ": ", error.what(), " (", network.options().name, ")");
  }
}

LoadedModel load_model(Context& context, const CardCheckpoint& checkpoint) {
  const NetworkOptions& options = checkpoint.card.network;
  // Metadata that promise a million outputs must not cost their memory before the tensors have been looked at.
  LoadedModel model;
  model.card = checkpoint.card;
  try {
    const std::string name = std::string(architecture_of(options).head()) + ".bias";
    const auto bias = checkpoint.tensors.find(name);
    require(bias != checkpoint.tensors.end() && bias->second.shape == Shape{options.outputs}, name,
            " is missing or has not the ", options.outputs, " outputs that the metadata name");
    model.network = make_model(context, options);
  } catch (const Error& error) {
    fail(ErrorKind::data, checkpoint.path, ": ", error.what());
  }
  load_parameters(*model.network, checkpoint);
  model.network->fold();
  return model;
}

void require_fits(const CardCheckpoint& checkpoint, const Dataset& dataset, bool same_names) {
  const ModelCard& card = checkpoint.card;
  require_data(card.network.in_channels == dataset.channels, checkpoint.path, ": the network takes images of ",
               card.network.in_channels, " channels, ", dataset.source, " has ", dataset.channels);
  require_data(card.task == dataset.task, checkpoint.path, ": the network was trained for ", to_string(card.task),
               " labels, ", dataset.source, " is ", to_string(dataset.task));
  require_data(card.network.outputs == dataset.outputs, checkpoint.path, ": the network has ", card.network.outputs,
               " outputs, ", dataset.source, " has ", dataset.outputs, " labels");
  require_data(!same_names || card.labels == dataset.label_names, checkpoint.path, ": the network's labels (",
               list(card.labels), ") are not those of ", dataset.source, " (", list(dataset.label_names), ")");
}

}  // namespace preceptor
