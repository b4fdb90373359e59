// Checkpoints as networks: metadata out and in.
#include "models/loaded_model.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/files/check.h"
#include "engine/files/numbers.h"
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
  if (card.cumulative) metadata["cumulative"] = "yes";
  metadata["data"] = card.data;
  metadata["epoch"] = std::to_string(card.epoch);
  metadata["val_auc"] = number_text(card.val_auc);
  if (card.operating_point) metadata["operating_point"] = to_text(*card.operating_point);
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
  for (const int side : {card.height, card.width})
    require_data(side >= 1 && side <= 1 << 15, path, ": the metadata's images are ", card.height, "x", card.width);
  card.mean = channel_values(reader, "mean", card.network.in_channels, -1e6f, path);
  card.deviation = channel_values(reader, "deviation", card.network.in_channels, 1e-6f, path);
  card.cumulative = metadata.contains("cumulative");
  require_data(!card.cumulative || card.task != Task::multi_label, path,
               ": the metadata's labels are independent, and cumulative");
  const int labels = card.network.outputs + (card.cumulative ? 1 : 0);
  for (const Json& entry : reader.array("labels", labels)) {
    require_data(entry.is_string(), path, ": the metadata's labels hold something else than names");
    card.labels.push_back(entry.get<std::string>());
  }
  card.data = reader.text("data");
  card.epoch = reader.count("epoch");
  card.val_auc = reader.number("val_auc", 0, 1);
  if (metadata.contains("operating_point"))
    card.operating_point =
        operating_point_from(reader.text("operating_point"), labels, card.task == Task::multi_label, path);
  return card;
}

CardCheckpoint load_card_checkpoint(const std::string& path) {
  Checkpoint checkpoint = load_safetensors(path);
  return {path, card_from(checkpoint.metadata, path), std::move(checkpoint.tensors)};
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

Features LoadedModel::features(std::span<const std::uint8_t> images, const std::vector<std::string>& taps) const {
  const std::size_t one = Shape{card.network.in_channels, card.height, card.width}.elements();
  require(!images.empty() && images.size() % one == 0, card.network.name, ": ", images.size(),
          " bytes are no images of ", card.height, "x", card.width, "x", card.network.in_channels);
  const Shape shape{static_cast<int>(images.size() / one), card.network.in_channels, card.height, card.width};
  const AugmentOptions normalization{.mean = card.mean, .deviation = card.deviation};
  const Tensor input = augment_from_host(network->parameters().context(), images, shape, normalization);
  return network->forward(input, Mode::inference, taps);
}

std::vector<float> LoadedModel::logits(std::span<const std::uint8_t> images) const {
  return features(images, {}).logits.to_host();
}

std::vector<float> LoadedModel::probabilities(std::span<const std::uint8_t> images) const {
  const Tensor scores = features(images, {}).logits;
  if (card.cumulative) return grade_probabilities(sigmoid(scores).to_host(), card.network.outputs + 1);
  return (card.task == Task::multi_label ? sigmoid(scores) : softmax(scores)).to_host();
}

std::vector<float> grade_probabilities(const std::vector<float>& above, int grades) {
  const auto width = static_cast<std::size_t>(grades - 1);
  require(grades >= 2 && above.size() % width == 0, "grades: ", above.size(), " outputs for ", grades, " grades");
  std::vector<float> probabilities;
  for (std::size_t row = 0; row < above.size(); row += width) {
    float before = 1;
    for (std::size_t k = 0; k < width; ++k) {
      const float here = std::min(before, above[row + k]);
      probabilities.push_back(before - here);
      before = here;
    }
    probabilities.push_back(before);
  }
  return probabilities;
}

}  // namespace preceptor
