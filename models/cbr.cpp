// Convolution, batch norm, ReLU and max pool in a row.
#include "models/cbr.h"

namespace preceptor {

Cbr::Cbr(Context& context, const NetworkOptions& options, const CbrArchitecture& architecture)
    : Network(context, options, head_name) {
  int x = LayerNode::network_input, channels = options.in_channels;
  for (std::size_t i = 0; i < architecture.widths.size(); ++i) {
    const std::string number = std::to_string(i + 1), convolution = "conv" + number, norm = "bn" + number;
    const int width = architecture.widths[i];
    x = graph_.convolution(
        x, ConvolutionBatchNorm(parameters_, convolution, norm, channels, width, architecture.kernel, 1), true);
    graph_.tap_before_activation(x, norm, true);
    graph_.tap(x, "relu" + number, true);
    if (i + 1 < architecture.widths.size() || architecture.pool_after_last) {
      x = graph_.max_pool(x, "pool" + number, 3, 2, 1);
      graph_.tap(x, "pool" + number);
    }
    channels = width;
    add_block({convolution + ".", norm + "."});
  }
  add_head(x, channels);
}

}  // namespace preceptor
