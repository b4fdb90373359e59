// Convolution, batch norm, ReLU and max pool in a row.
#include "models/cbr.h"

namespace preceptor {

void CbrArchitecture::build(Network& network) const {
  LayerGraph& graph = network.graph();
  int x = LayerNode::network_input, channels = network.options().in_channels;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const std::string number = std::to_string(i + 1), convolution = "conv" + number, norm = "bn" + number;
    const int width = widths[i];
    x = graph.convolution(x, ConvolutionBatchNorm(network.parameters(), convolution, norm, channels, width, kernel, 1),
                          true);
    graph.tap_before_activation(x, norm, true);
    graph.tap(x, "relu" + number, true);
    if (i + 1 < widths.size() || pool_after_last) {
      x = graph.max_pool(x, "pool" + number, 3, 2, 1);
      graph.tap(x, "pool" + number);
    }
    channels = width;
    network.add_block({convolution + ".", norm + "."});
  }
  network.add_head(x, channels);
}

}  // namespace preceptor
