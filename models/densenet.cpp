// Densely connected networks.
#include "models/densenet.h"

#include <cmath>

namespace preceptor {

using Kind = LayerNode::Kind;

DenseNet::DenseNet(Context& context, const NetworkOptions& options, const DenseNetArchitecture& architecture)
    : Network(context, options, head_name) {
  int channels = architecture.stem;
  int x = add_stem("features.conv0", "features.norm0", "features.relu0", "features.pool0", channels);
  for (std::size_t b = 0; b < architecture.layers.size(); ++b) {
    const std::string number = std::to_string(b + 1), block = "features.denseblock" + number;
    x = graph_.add({.kind = Kind::copy, .name = block + ".input", .input = x});
    for (int l = 0; l < architecture.layers[b]; ++l) {
      x = add_dense_layer(x, block + ".denselayer" + std::to_string(l + 1), channels, architecture.growth);
      channels += architecture.growth;
    }
    graph_.tap(x, block, true, true);
    const bool last = b + 1 == architecture.layers.size();
    const std::string next = last ? "features.norm5" : "features.transition" + number;
    if (last) {
      const BatchNormParameters norm = add_batch_norm(parameters_, next, channels);
      x = graph_.add({.kind = Kind::batch_norm, .name = next, .input = x, .norm = norm, .relu = true});
    } else {
      x = add_transition(x, next, channels);
      channels /= 2;
    }
    add_block({block + ".", next + "."});
  }
  add_head(x, channels);
}

int DenseNet::add_dense_layer(int x, const std::string& name, int channels, int growth) {
  const int inner = DenseNetArchitecture::bottleneck * growth;
  const BatchNormParameters norm1 = add_batch_norm(parameters_, name + ".norm1", channels);
  const ConvolutionBatchNorm conv1(parameters_, name + ".conv1", name + ".norm2", channels, inner, 1, 1);
  const Parameter conv2 = parameters_.add(name + ".conv2.weight", {growth, inner, 3, 3}, ParameterKind::convolution);
  const int bottleneck = graph_.batch_norm_convolution(x, norm1, conv1.weight, 0);
  const int piece = graph_.batch_norm_convolution(bottleneck, conv1.norm, conv2, 1);
  graph_.tap(piece, name + ".conv2");
  return graph_.add({.kind = Kind::concatenation, .name = name, .input = x, .second = piece});
}

int DenseNet::add_transition(int x, const std::string& name, int channels) {
  const BatchNormParameters norm = add_batch_norm(parameters_, name + ".norm", channels);
  const Parameter weight =
      parameters_.add(name + ".conv.weight", {channels / 2, channels, 1, 1}, ParameterKind::convolution);
  x = graph_.batch_norm_convolution(x, norm, weight, 0);
  x = graph_.add({.kind = Kind::average_pool, .name = name + ".pool", .input = x, .window = 2, .stride = 2});
  graph_.tap(x, name);
  return x;
}

// He et al. 2015b with fan in, as torchvision.
double DenseNet::initial_deviation(const Shape& convolution) const {
  return std::sqrt(2.0 / (convolution[1] * convolution[2] * convolution[3]));
}

void DenseNet::adjust_initial(StateDict& state) const {
  for (float& value : state.at("classifier.bias").values) value = 0;
}

}  // namespace preceptor
