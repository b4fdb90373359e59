// Outputs of a network read from a file of weights, for comparison with the program that wrote it:
//   network-outputs WEIGHTS INPUTS.safetensors OUT.safetensors
// INPUTS holds images [n, c, h, w] and labels [n]; OUT gets the logits in both modes, and the loss, all gradients
// and the new state of a training step.
#include <cstdio>

#include "engine/files/check.h"
#include "models/registry.h"
#include "models/weights.h"

namespace preceptor {
namespace {

PlainTensor plain(const Tensor& tensor) { return {tensor.shape(), tensor.to_host()}; }

void run(const std::string& weights, const std::string& inputs, const std::string& out) {
  const auto context = Context::on_cpu(2, 0);
  NamedWeights named = with_torchvision_names(load_weights(weights));
  const auto options = recognize_network(named.file.checkpoint.tensors);
  require_data(options.has_value(), weights, ": looks like none of our networks");
  const auto network = make_model(*context, *options);
  load_fit(*network, fit_weights(std::move(named), *network), false);
  StateDict result;
  for (const auto& [name, tensor] : network->parameters().state()) result["parameter/" + name] = tensor;

  const StateDict given = load_safetensors(inputs).tensors;
  const Tensor images = context->empty(given.at("images").shape, Lifetime::persistent);
  images.from_host(given.at("images").values);
  const Tensor labels = context->empty(given.at("labels").shape, Lifetime::persistent);
  labels.from_host(given.at("labels").values);
  network->fold();
  result["logits_evaluation"] = plain(network->forward(images, Mode::inference).logits);
  network->parameters().allocate_gradients();
  {
    const Features features = network->forward(images, Mode::train);
    result["logits_training"] = plain(features.logits);
    result["losses"] = plain(softmax_cross_entropy(features.logits, labels));
  }
  context->tape().backward();
  for (const auto& [name, tensor] : network->parameters().gradients()) result["gradient/" + name] = tensor;
  for (const auto& [name, tensor] : network->parameters().state()) result["after/" + name] = tensor;
  save_safetensors(out, result, {{"model", options->name}});
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: network-outputs WEIGHTS INPUTS.safetensors OUT.safetensors\n");
    return 64;
  }
  try {
    preceptor::run(argv[1], argv[2], argv[3]);
    return 0;
  } catch (const preceptor::Error& error) {
    std::fprintf(stderr, "network-outputs: %s\n", error.what());
    return static_cast<int>(error.kind());
  }
}
