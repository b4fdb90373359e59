// A network as a list of layers with their inputs: networks run the list, and the layer table and the ONNX export read
// it. A convolution and its batch norm are made together.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "engine/ops.h"

namespace preceptor {

enum class Mode {
  train,      // batch statistics, gradients recorded
  inference,  // batch norms folded into convolutions, nothing recorded
};

// Adds `name`.weight, bias, running_mean and running_var to the parameters.
BatchNormParameters add_batch_norm(Parameters& parameters, const std::string& name, int channels);

struct ConvolutionBatchNorm {
  Parameter weight;
  BatchNormParameters norm;
  ConvolutionOptions options;

  // Adds `convolution`.weight and the batch norm to the parameters. The padding keeps the size if the stride is 1.
  ConvolutionBatchNorm(Parameters& parameters, const std::string& convolution, const std::string& batch_norm, int in,
                       int out, int kernel, int stride);

  // batch_norm(convolution(x)) in training.
  Tensor operator()(const Tensor& x) const;
};

struct LayerNode {
  enum class Kind {
    convolution,          // relu?(norm?(convolution(x or relu(norm_before(x)))) + second?)
    batch_norm,           // relu(norm(x))
    max_pool,             // padded with the smallest value
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
  int window = 1, stride = 1, padding = 0;  // for convolutions and pools, square
};

// Every layer comes after those it reads; the last one gives the logits. The functions add a layer and return its
// position; `x` is the position of its input.
class LayerGraph {
 public:
  int add(LayerNode node);
  int convolution(int x, const ConvolutionBatchNorm& layer, bool relu, int residual = LayerNode::none);
  int batch_norm_convolution(int x, const BatchNormParameters& norm_before, const Parameter& weight, int padding);
  int max_pool(int x, const std::string& name, int window, int stride, int padding);

  // The output of layer x can be tapped by this name (taps.h).
  struct TappedLayer {
    std::string name;
    int layer;
    bool ends_stage, before_relu;  // see Tap
    bool before_activation;        // the output without the layer's own ReLU
  };
  void tap(int x, const std::string& name, bool ends_stage = false, bool before_relu = false) {
    taps_.push_back({name, x, ends_stage, before_relu, false});
  }
  void tap_before_activation(int x, const std::string& name, bool before_relu) {
    taps_.push_back({name, x, false, before_relu, true});
  }

  // The batch norm that reads layer x, if there is one.
  std::optional<BatchNormParameters> norm_after(int x) const;

  const std::vector<LayerNode>& nodes() const { return nodes_; }
  const std::vector<TappedLayer>& taps() const { return taps_; }
  // The layers with every batch norm between two convolutions moved to the first, which can be folded, or to the
  // second, which can apply it as it reads; only if nothing else reads the values between them.
  std::vector<LayerNode> with_norms_at_sources() const;
  std::vector<LayerNode> with_norms_at_readers() const;
  // Output [c, h, w] of every layer for one image [c, h, w].
  std::vector<Shape> output_shapes(const Shape& image) const;

 private:
  // The convolution whose only reader is this one, or nullptr.
  LayerNode* private_source(const LayerNode& convolution, std::vector<LayerNode>& nodes) const;

  std::vector<LayerNode> nodes_;
  std::vector<TappedLayer> taps_;
};

}  // namespace preceptor
