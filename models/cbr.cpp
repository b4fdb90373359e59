// Convolution, batch norm, ReLU and max pool in a row.
#include "models/cbr.h"

namespace preceptor {

Cbr::Cbr(Context& context, const NetworkOptions& options, const CbrArchitecture& architecture)
    : Network(context, options, head_name), pool_after_last_(architecture.pool_after_last) {
  int channels = options.in_channels;
  for (std::size_t i = 0; i < architecture.widths.size(); ++i) {
    const std::string number = std::to_string(i + 1), convolution = "conv" + number, norm = "bn" + number;
    layers_.emplace_back(parameters_, convolution, norm, channels, architecture.widths[i], architecture.kernel, 1,
                         architecture.kernel / 2);
    channels = architecture.widths[i];
    add_block({convolution + ".", norm + "."});
  }
  add_head(channels);
}

Tensor Cbr::run(const Tensor& input, Mode mode, Taps& taps) {
  Tensor x = input;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const std::string number = std::to_string(i + 1), before_relu = "bn" + number;
    const bool tapped = taps.requested(before_relu);
    x = layers_[i].forward(x, mode_of(i, mode), !tapped);
    if (tapped) {
      taps.record(before_relu, x);
      x = relu(x);
    }
    taps.record("relu" + number, x);
    if (!pooled(i)) continue;
    x = max_pool(x, 3, 2, 1);
    taps.record("pool" + number, x);
  }
  return pool_and_classify(x, taps);
}

LayerGraph Cbr::layers() const {
  LayerGraph graph;
  int x = LayerNode::network_input;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    x = graph.convolution(x, layers_[i], true);
    graph.tap(x, "bn" + number, false, true);
    graph.tap(x, "relu" + number, true);
    if (!pooled(i)) continue;
    x = graph.max_pool(x, "pool" + number, 3, 2, 1);
    graph.tap(x, "pool" + number);
  }
  add_pool_and_classifier(graph, x);
  return graph;
}

void Cbr::fold() {
  for (ConvolutionBatchNorm& layer : layers_) layer.fold();
}

}  // namespace preceptor
