// A network as a list of layers with their inputs: the layer table and the ONNX export are walks over it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/layers.h"

namespace preceptor {

struct LayerNode {
  enum class Kind {
    convolution,          // relu?(norm?(convolution(x or relu(norm_before(x)))) + second?)
    batch_norm,           // relu(norm(x))
    max_pool,             // padded with what never wins
    average_pool,         // without padding
    global_average_pool,  // [n, c, h, w] -> [n, c]
    linear,               // x weight^T + bias
    copy,                 // x, into the maps of a dense block
    concatenation,        // the channels of x, then those of `second`
  };
  // In place of a position:
  static constexpr int network_input = -1;
  static constexpr int none = -2;

  Kind kind;
  std::string name;   // torchvision's, "layer1.0.conv1"
  int input;          // x: the position of an earlier layer, or network_input
  int second = none;  // position of an earlier layer
  std::optional<BatchNormParameters> norm_before = std::nullopt, norm = std::nullopt;
  Parameter weight = {}, bias = {};
  bool relu = false;
  int window = 1, stride = 1, padding = 0;  // square, of convolutions and pools
};

// Every layer stands behind those it reads; the last one gives the logits. The functions add a layer and return its
// position; `x` is the position of its input.
class LayerGraph {
 public:
  int convolution(int x, const ConvolutionBatchNorm& layer, bool relu, int residual = LayerNode::none);
  int batch_norm_convolution(int x, const BatchNormParameters& norm_before, const Parameter& weight, int padding);
  int batch_norm(int x, const BatchNormParameters& norm);
  int max_pool(int x, const std::string& name, int window, int stride, int padding);
  int average_pool(int x, const std::string& name, int window, int stride);
  int global_average_pool(int x, const std::string& name);
  int linear(int x, const Parameter& weight, const Parameter& bias);
  int copy(int x, const std::string& name);
  int concatenation(int x, int second, const std::string& name);

  // The output of layer x can be tapped by this name (taps.h).
  struct TappedLayer {
    std::string name;
    int layer;
    bool ends_stage, before_relu;
  };
  void tap(int x, const std::string& name, bool ends_stage = false, bool before_relu = false) {
    taps_.push_back({name, x, ends_stage, before_relu});
  }

  // The batch norm that reads layer x, if there is one.
  std::optional<BatchNormParameters> norm_after(int x) const;

  const std::vector<LayerNode>& nodes() const { return nodes_; }
  const std::vector<TappedLayer>& taps() const { return taps_; }
  // [c, h, w] behind every layer for one image [c, h, w].
  std::vector<Shape> output_shapes(const Shape& image) const;

 private:
  int add(LayerNode node);

  std::vector<LayerNode> nodes_;
  std::vector<TappedLayer> taps_;
};

}  // namespace preceptor
