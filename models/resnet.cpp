// Residual networks.
#include "models/resnet.h"

namespace preceptor {

ResNet::ResNet(Context& context, const NetworkOptions& options, const ResNetArchitecture& architecture)
    : Network(context, options, head_name) {
  int channels = architecture.widths[0];
  int x = add_stem("conv1", "bn1", "relu", "maxpool", channels);
  for (std::size_t s = 0; s < architecture.widths.size(); ++s) {
    const std::string stage = "layer" + std::to_string(s + 1);
    const int width = architecture.widths[s], out = width * architecture.expansion(), blocks = architecture.blocks[s];
    for (int b = 0; b < blocks; ++b) {
      const int stride = b == 0 && s > 0 ? 2 : 1;
      x = add_residual_block(x, stage + "." + std::to_string(b), channels, width, out, stride, b + 1 == blocks);
      channels = out;
    }
    graph_.tap(x, stage, true);
    add_block({stage + "."});
  }
  add_head(x, channels);
}

int ResNet::add_residual_block(int x, const std::string& name, int in, int width, int out, int stride,
                               bool ends_stage) {
  const auto layer = [&](const std::string& number, int from, int to, int kernel, int step) {
    return ConvolutionBatchNorm(parameters_, name + ".conv" + number, name + ".bn" + number, from, to, kernel, step);
  };
  std::vector<ConvolutionBatchNorm> layers;
  if (width != out)  // a bottleneck
    layers = {layer("1", in, width, 1, 1), layer("2", width, width, 3, stride), layer("3", width, out, 1, 1)};
  else
    layers = {layer("1", in, width, 3, stride), layer("2", width, out, 3, 1)};
  int y = x;
  for (std::size_t i = 0; i + 1 < layers.size(); ++i) y = graph_.convolution(y, layers[i], true);
  if (stride != 1 || in != out) {
    const ConvolutionBatchNorm shortcut(parameters_, name + ".downsample.0", name + ".downsample.1", in, out, 1,
                                        stride);
    x = graph_.convolution(x, shortcut, false);
  }
  x = graph_.convolution(y, layers.back(), true, x);
  graph_.tap_before_activation(x, name + ".sum", ends_stage);
  graph_.tap(x, name);
  return x;
}

}  // namespace preceptor
