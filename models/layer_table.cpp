// Follows the sizes of one image through the layers of a network.
#include "models/layer_table.h"

namespace preceptor {
namespace {

using Kind = LayerNode::Kind;

std::string text_of(const LayerNode& node) {
  const auto windowed = [&](const char* what) {
    return message(what, " ", node.window, "x", node.window, node.stride > 1 ? "/" + std::to_string(node.stride) : "");
  };
  switch (node.kind) {
    case Kind::convolution:
      return (node.norm_before ? "bn + relu + " : "") + windowed("conv") + (node.norm ? " + bn" : "") +
             (node.relu ? " + relu" : "");
    case Kind::batch_norm:
      return "bn + relu";
    case Kind::max_pool:
      return windowed("max pool");
    case Kind::average_pool:
      return windowed("average pool");
    case Kind::global_average_pool:
      return "global average pool";
    case Kind::linear:
      return "linear";
    case Kind::copy:
      return "copy into the block";
    case Kind::concatenation:
      return "concatenation";
  }
  return "";
}

std::size_t parameters_of(const LayerNode& node) {
  std::size_t count = 0;
  if (node.kind == Kind::convolution || node.kind == Kind::linear) count += node.weight.shape().elements();
  if (node.kind == Kind::linear) count += node.bias.shape().elements();
  for (const auto& norm : {node.norm_before, node.norm})
    if (norm) count += 2 * norm->gamma.shape().elements();
  return count;
}

double operations_of(const LayerNode& node, const Shape& output) {
  switch (node.kind) {
    case Kind::convolution:
    case Kind::linear:
      return 2.0 * static_cast<double>(node.weight.shape().elements()) * output[1] * output[2];
    case Kind::max_pool:
    case Kind::average_pool:
      return static_cast<double>(node.window * node.window) * static_cast<double>(output.elements());
    default:
      return 0;
  }
}

// Values that training keeps of the layer's output for the gradient.
std::size_t kept_values(const LayerNode& node, const Shape& output) {
  switch (node.kind) {
    case Kind::convolution:
      // A batch norm after it adds its own output; the output of a batch norm before it is computed again.
      return (node.norm ? 2 : 1) * output.elements();
    case Kind::batch_norm:
    case Kind::average_pool:
    case Kind::concatenation:
      return 0;
    default:
      return output.elements();
  }
}

}  // namespace

std::vector<LayerRow> layer_table(const Network& network, int height, int width) {
  require(height > 0 && width > 0, "layer table: images of ", height, "x", width, " are out of range");
  std::vector<LayerRow> rows;
  const LayerGraph& graph = network.layers();
  const std::vector<Shape> outputs = graph.output_shapes({network.options().in_channels, height, width});
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const LayerNode& node = graph.nodes()[i];
    // Pieces are written where they belong, so joining them is no work.
    if (node.kind == Kind::concatenation) continue;
    const Shape& output = outputs[i];
    rows.push_back({node.name, text_of(node), output, parameters_of(node), operations_of(node, output),
                    kept_values(node, output) * sizeof(float)});
  }
  return rows;
}

}  // namespace preceptor
