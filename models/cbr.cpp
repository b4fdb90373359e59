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

Features Cbr::run(const Tensor& input, Mode mode) {
  Features features;
  Tensor x = input;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    x = layers_[i].forward(x, mode_of(i, mode), true);
    features.stages.push_back(x);
    if (pooled(i)) x = max_pool(x, 3, 2, 1);
  }
  features.logits = head(global_average_pool(x));
  return features;
}

LayerGraph Cbr::layers() const {
  LayerGraph graph;
  int x = LayerNode::network_input;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    x = graph.convolution(x, layers_[i], true);
    if (pooled(i)) x = graph.max_pool(x, "pool" + std::to_string(i + 1), 3, 2, 1);
  }
  add_head_to(graph, graph.global_average_pool(x, "avgpool"));
  return graph;
}

void Cbr::fold() {
  for (ConvolutionBatchNorm& layer : layers_) layer.fold();
}

}  // namespace preceptor
