// A network with the metadata of its checkpoint: normalization, labels, task.
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

// The metadata of a checkpoint.
struct ModelCard {
  NetworkOptions network;
  Task task = Task::multi_class;
  int height = 0, width = 0;                     // size of the training images
  std::vector<float> mean = {}, deviation = {};  // per channel, of pixel / 255
  std::vector<std::string> labels;               // [network.outputs], one more for a cumulative network
  bool cumulative = false;                       // labels are grades; output i is P(grade > i)
  std::string data;                              // the data set it was trained on
  int epoch = 0;                                 // finished epochs
  double val_auc = 0;
  std::optional<OperatingPoint> operating_point = std::nullopt;  // from a finished run's best epoch
};

// Contains nothing that differs between two runs with one seed: no time, no path.
Metadata to_metadata(const ModelCard& card);
// True for the metadata of our own checkpoints.
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

  // Logits [n, card.network.outputs] of images as bytes [n, card.height, card.width, card.network.in_channels]. Errors:
  // usage, if the bytes are not a whole number of images.
  std::vector<float> logits(std::span<const std::uint8_t> images) const;
  // The same with the maps of the named taps, on the device.
  Features features(std::span<const std::uint8_t> images, const std::vector<std::string>& taps) const;
  // Probabilities of the labels, [n, card.labels]: independent for multi-label networks, else adding up to 1.
  std::vector<float> probabilities(std::span<const std::uint8_t> images) const;
};

// Probabilities of grades [rows, grades] from the outputs of a cumulative network [rows, grades - 1], the probabilities
// of exceeding each grade but the last. Those should decrease, but outputs learned independently need not: each counts
// as the minimum up to it, so that differences are never negative (Cheng et al. 2008 read outputs in this order and
// stop at the first no).
std::vector<float> grade_probabilities(const std::vector<float>& above, int grades);

// Builds the network that the card describes. The context must outlive it. Errors: data, with the file's path.
LoadedModel load_model(Context& context, const CardCheckpoint& checkpoint);

}  // namespace preceptor
