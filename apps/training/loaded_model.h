// A network with what its checkpoint says about it: normalisation, labels, task.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "engine/checkpoint.h"
#include "models/network.h"

namespace preceptor {

// What a checkpoint's metadata hold beside the weights.
struct ModelCard {
  NetworkOptions network;
  Task task = Task::multi_class;
  int height = 0, width = 0;           // of the images it was trained on
  std::vector<float> mean, deviation;  // per channel, of pixel / 255
  std::vector<std::string> labels;     // [network.outputs]
  std::string data;                    // the data set it was trained on
  int epoch = 0;                       // finished epochs
  double val_auc = 0;
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
CardCheckpoint load_card_checkpoint(const std::string& path);

// Mean and standard deviation of every channel over all pixels of a split.
void measure_normalisation(const Dataset& dataset, const Split& split, ModelCard& card);

// Parameters::load with the file's name in the error.
void load_parameters(Network& network, const CardCheckpoint& checkpoint, const std::vector<std::string>& except = {});

struct LoadedModel {
  ModelCard card;
  std::unique_ptr<Network> network;  // folded, ready for inference
};
LoadedModel load_model(Context& context, const CardCheckpoint& checkpoint);

// Throws Error (data) unless the network's channels, task and number of outputs are those of the data, and for
// `same_names` the names of the labels too.
void require_fits(const CardCheckpoint& checkpoint, const Dataset& dataset, bool same_names);

}  // namespace preceptor
