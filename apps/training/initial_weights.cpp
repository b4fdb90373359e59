// Weights that a run starts from.
#include "apps/training/initial_weights.h"

namespace preceptor {

InitialWeights load_initial_weights(const std::string& path) {
  InitialWeights weights{load_weights(path), std::nullopt, std::nullopt};
  if (has_card(weights.file.checkpoint.metadata))
    weights.card = card_from(weights.file.checkpoint.metadata, path);
  else
    weights.recognized = recognize_network(with_torchvision_names(weights.file));
  return weights;
}

}  // namespace preceptor
