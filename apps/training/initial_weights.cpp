// Weights that a run starts from.
#include "apps/training/initial_weights.h"

namespace preceptor {

InitialWeights load_initial_weights(const std::string& path) {
  InitialWeights weights{with_torchvision_names(load_weights(path)), std::nullopt, std::nullopt};
  const Checkpoint& checkpoint = weights.named.file.checkpoint;
  if (has_card(checkpoint.metadata))
    weights.card = card_from(checkpoint.metadata, path);
  else
    weights.recognized = recognize_network(checkpoint.tensors);
  return weights;
}

}  // namespace preceptor
