// A network with what its checkpoint says about it: normalization, labels, task.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/files/checkpoint.h"
#include "engine/task.h"
#include "models/network.h"
#include "models/operating_point.h"

namespace preceptor {

// What a checkpoint's metadata hold beside the weights.
struct ModelCard {
  NetworkOptions network;
  Task task = Task::multi_class;
  int height = 0, width = 0;           // of the images it was trained on
  std::vector<float> mean, deviation;  // per channel, of pixel / 255
  std::vector<std::string> labels;     // [network.outputs], or of a cumulative network one more
  bool cumulative = false;             // labels are grades, and an output says whether it is above each but the last
  std::string data;                    // the data set it was trained on
  int epoch = 0;                       // finished epochs
  double val_auc = 0;
  std::optional<OperatingPoint> operating_point = std::nullopt;  // of a finished run's best epoch
};

// Holds nothing that differs between two runs with one seed: no time, no path of the run.
Metadata to_metadata(const ModelCard& card);
// Whether they say that they are of a checkpoint of ours.
bool has_card(const Metadata& metadata);
// Errors: data, "`path`: ..."; nothing in the metadata is trusted.
ModelCard card_from(const Metadata& metadata, const std::string& path);

struct CardCheckpoint {
  std::string path;
  ModelCard card;
  StateDict tensors;
};
// Errors: missing_input, data, io; as load_safetensors and card_from.
CardCheckpoint load_card_checkpoint(const std::string& path);

// Parameters::load with the file's name in the error.
void load_parameters(Network& network, const CardCheckpoint& checkpoint, const std::vector<std::string>& except = {});

// A network ready for inference: its batch norms are folded.
struct LoadedModel {
  ModelCard card;
  std::unique_ptr<Network> network;

  // Of images as bytes [n, card.height, card.width, card.network.in_channels]: [n, card.network.outputs]. Errors:
  // usage, where the bytes are no whole number of images.
  std::vector<float> logits(std::span<const std::uint8_t> images) const;
  // Those with the maps of the named taps, on the device.
  Features features(std::span<const std::uint8_t> images, const std::vector<std::string>& taps) const;
  // Probabilities of the labels, [n, card.labels]: independent for multi-label networks, else adding up to 1.
  std::vector<float> probabilities(std::span<const std::uint8_t> images) const;
};

// What a cumulative network says of grades: probabilities [rows, grades] from those of being above each but the last,
// [rows, grades - 1]. What is above a grade is above all before it, but outputs that are learned one by one need not
// say so: each counts as the least of those up to it, which makes their differences the grades' (Cheng et al. 2008 read
// outputs in this order, and stop at the first that says no).
std::vector<float> grade_probabilities(const std::vector<float>& above, int grades);

// Builds the network that the card describes. The context must outlive it. Errors: data, with the file's path.
LoadedModel load_model(Context& context, const CardCheckpoint& checkpoint);

}  // namespace preceptor
