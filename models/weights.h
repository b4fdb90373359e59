// Weights from elsewhere fitted to a network: names translated, every difference listed, no part loaded silently.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engine/files/weight_file.h"
#include "models/network.h"

namespace preceptor {

// How the tensors of a file fit a network.
struct WeightFit {
  std::string path;
  StateDict tensors;                    // those that fit, under the network's names
  std::vector<std::string> matched;     // names of the network that the file has as they are
  std::vector<std::string> renamed;     // "module.conv1.weight -> conv1.weight"
  std::vector<std::string> missing;     // names of the network that the file lacks
  std::vector<std::string> reshaped;    // "fc.weight is [1000, 512], the network has [14, 512]"
  std::vector<std::string> unexpected;  // names of the file that the network lacks
  std::vector<std::string> skipped;     // whole-number tensors
  std::vector<std::string> notes;       // what else was done: a stem that was summed, values kept as metadata
  Metadata kept;                        // TorchXRayVision's op_threshs, as a JSON list
};

// A file whose tensors have torchvision's names.
struct NamedWeights {
  WeightFile file;
  std::map<std::string, std::string> renamed;  // the name in the file by the name now, where they differ
};

// Takes off the prefixes module., model. and those of a registered network (densenet121., as in CheXNet), makes
// denselayer1.norm1 of denselayer1.norm.1 (torchvision before 0.3), and classifier or fc of classifier.0 or fc.0 (the
// first of a sequence). Errors: data, where two tensors would get one name.
NamedWeights with_torchvision_names(WeightFile file);

// The registered network whose structure the tensors (of torchvision's names) have, with stem, channels and outputs;
// outputs is 0 where the last layer is missing. Nothing for other structures.
std::optional<NetworkOptions> recognize_network(const StateDict& tensors);

// Compares names and shapes. A stem for 3 channels is summed to fit a network of 1, and noted. Errors: data, where no
// name is the network's or a tensor that fits holds NaN or infinity.
WeightFit fit_weights(NamedWeights weights, Network& network);

// The fit in a few lines without the path: counts, the first names of each kind, and the notes.
std::vector<std::string> describe(const WeightFit& fit);

// Sets all parameters of the network; with new_head, all but the last layer, about which the file may then say
// anything. Errors: data, "PATH: ... another architecture ...", where anything is missing, reshaped or unexpected;
// nothing is set then.
void load_fit(Network& network, const WeightFit& fit, bool new_head);

}  // namespace preceptor
