// Weights that a run starts from: a checkpoint of ours with its card, or a file from elsewhere.
#pragma once

#include <optional>
#include <string>

#include "models/loaded_model.h"
#include "models/weights.h"

namespace preceptor {

struct InitialWeights {
  NamedWeights named;
  std::optional<ModelCard> card;             // where the file is a checkpoint of ours
  std::optional<NetworkOptions> recognized;  // otherwise what its tensors look like, if a registered network
};

// Errors: those of load_weights and card_from.
InitialWeights load_initial_weights(const std::string& path);

}  // namespace preceptor
