// Densely connected networks.
#include "models/densenet.h"

namespace preceptor {
namespace {

using Kind = LayerNode::Kind;

// Both read x [channels] and return the position of their output.
int add_dense_layer(Network& network, int x, const std::string& name, int channels, int growth) {
  const int inner = DenseNetArchitecture::bottleneck * growth;
  const BatchNormParameters norm1 = add_batch_norm(network.parameters(), name + ".norm1", channels);
  const ConvolutionBatchNorm conv1(network.parameters(), name + ".conv1", name + ".norm2", channels, inner, 1, 1);
  const Parameter conv2 =
      network.parameters().add(name + ".conv2.weight", {growth, inner, 3, 3}, ParameterKind::convolution);
  const int bottleneck = network.graph().batch_norm_convolution(x, norm1, conv1.weight, 0);
  const int piece = network.graph().batch_norm_convolution(bottleneck, conv1.norm, conv2, 1);
  network.graph().tap(piece, name + ".conv2");
  return network.graph().add({.kind = Kind::concatenation, .name = name, .input = x, .second = piece});
}

int add_transition(Network& network, int x, const std::string& name, int channels) {
  const BatchNormParameters norm = add_batch_norm(network.parameters(), name + ".norm", channels);
  const Parameter weight =
      network.parameters().add(name + ".conv.weight", {channels / 2, channels, 1, 1}, ParameterKind::convolution);
  x = network.graph().batch_norm_convolution(x, norm, weight, 0);
  x = network.graph().add({.kind = Kind::average_pool, .name = name + ".pool", .input = x, .window = 2, .stride = 2});
  network.graph().tap(x, name);
  return x;
}

}  // namespace

void DenseNetArchitecture::build(Network& network) const {
  int channels = stem;
  int x = network.add_stem("features.conv0", "features.norm0", "features.relu0", "features.pool0", channels);
  for (std::size_t b = 0; b < layers.size(); ++b) {
    const std::string number = std::to_string(b + 1), block = "features.denseblock" + number;
    x = network.graph().add({.kind = Kind::copy, .name = block + ".input", .input = x});
    for (int l = 0; l < layers[b]; ++l) {
      x = add_dense_layer(network, x, block + ".denselayer" + std::to_string(l + 1), channels, growth);
      channels += growth;
    }
    network.graph().tap(x, block, true, true);
    const bool last = b + 1 == layers.size();
    const std::string next = last ? "features.norm5" : "features.transition" + number;
    if (last) {
      const BatchNormParameters norm = add_batch_norm(network.parameters(), next, channels);
      x = network.graph().add({.kind = Kind::batch_norm, .name = next, .input = x, .norm = norm, .relu = true});
    } else {
      x = add_transition(network, x, next, channels);
      channels /= 2;
    }
    network.add_block({block + ".", next + "."});
  }
  network.add_head(x, channels);
}

}  // namespace preceptor
