// Residual networks.
#include "models/resnet.h"

namespace preceptor {
namespace {

// Adds a residual block and returns the position of its output.
int add_residual_block(Network& network, int x, const std::string& name, int in, int width, int out, int stride,
                       bool ends_stage) {
  LayerGraph& graph = network.graph();
  const auto layer = [&](const std::string& number, int from, int to, int kernel, int step) {
    return ConvolutionBatchNorm(network.parameters(), name + ".conv" + number, name + ".bn" + number, from, to, kernel,
                                step);
  };
  std::vector<ConvolutionBatchNorm> layers;
  if (width != out)  // a bottleneck
    layers = {layer("1", in, width, 1, 1), layer("2", width, width, 3, stride), layer("3", width, out, 1, 1)};
  else
    layers = {layer("1", in, width, 3, stride), layer("2", width, out, 3, 1)};
  int y = x;
  for (std::size_t i = 0; i + 1 < layers.size(); ++i) y = graph.convolution(y, layers[i], true);
  if (stride != 1 || in != out) {
    const ConvolutionBatchNorm shortcut(network.parameters(), name + ".downsample.0", name + ".downsample.1", in, out,
                                        1, stride);
    x = graph.convolution(x, shortcut, false);
  }
  x = graph.convolution(y, layers.back(), true, x);
  graph.tap_before_activation(x, name + ".sum", ends_stage);
  graph.tap(x, name);
  return x;
}

}  // namespace

void ResNetArchitecture::build(Network& network) const {
  int channels = widths[0];
  int x = network.add_stem("conv1", "bn1", "relu", "maxpool", channels);
  for (std::size_t s = 0; s < widths.size(); ++s) {
    const std::string stage = "layer" + std::to_string(s + 1);
    const int width = widths[s], out = width * expansion();
    for (int b = 0; b < blocks[s]; ++b) {
      const int stride = b == 0 && s > 0 ? 2 : 1;
      x = add_residual_block(network, x, stage + "." + std::to_string(b), channels, width, out, stride,
                             b + 1 == blocks[s]);
      channels = out;
    }
    network.graph().tap(x, stage, true);
    network.add_block({stage + "."});
  }
  network.add_head(x, channels);
}

}  // namespace preceptor
