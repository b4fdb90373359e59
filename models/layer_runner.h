// Runs the layers of a network in training and in inference.
#pragma once

#include <functional>
#include <vector>

#include "models/layer_graph.h"
#include "models/taps.h"

namespace preceptor {

// The mode decides which layer computes a batch norm. In training it is the layer that the network gives it to; but on
// a device that fuses batch norms, one between two convolutions is applied as the second reads, and its output is never
// stored, which saves a sixth of the activations of a bottleneck and a quarter of those of a basic block. In inference
// batch norms are folded into the convolutions before them.
class LayerRunner {
 public:
  // dropout: probability in training that a value added to a dense block is dropped; first_dropout: number of the first
  // layer that drops values.
  LayerRunner(const LayerGraph& graph, bool fuses_batch_norms, float dropout, int first_dropout);

  // Folds batch norms into convolutions: after the parameters changed, before the next inference.
  void fold();

  // Returns the output of the last layer. Every layer runs in its own mode, given its name.
  Tensor operator()(const Tensor& input, const std::function<Mode(const std::string& layer)>& mode_of,
                    Taps& taps) const;

 private:
  struct Step {
    LayerNode training, inference;
    FoldedConvolution folded;  // for a convolution whose batch norm is folded in inference
    std::vector<LayerGraph::TappedLayer> taps;
    bool feeds_norm = false;                       // in training a batch norm reads the output
    bool ends_input = false, ends_second = false;  // no later layer reads that input
    int added_channels = 0;                        // for a copy: channels that the dense block adds
    int dropout_layer = 0;                         // for a concatenation
  };
  struct Output {
    Tensor value;
    Tensor maps;  // in a dense block: all of its channels, of which `value` is the first part
  };
  Output run(const Step& step, Mode mode, bool relu, Output input, Tensor second) const;
  Tensor convolve(const Step& step, Mode mode, bool relu, const Tensor& x, Tensor second) const;

  float dropout_;
  std::vector<Step> steps_;
};

}  // namespace preceptor
