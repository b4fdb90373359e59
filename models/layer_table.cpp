// The table of a network's layers: sizes, parameters, operations and what is kept for the gradient.
#include "models/registry.h"

namespace preceptor {
namespace {

// Follows the sizes of one image through the network.
struct Table {
  std::vector<LayerRow> rows;
  int channels, height, width;

  std::size_t elements() const { return static_cast<std::size_t>(channels) * height * width; }
  void add(const std::string& name, const std::string& kind, std::size_t parameters, double operations,
           std::size_t kept_values) {
    rows.push_back({name, kind, {channels, height, width}, parameters, operations, kept_values * sizeof(float)});
  }
  // Sizes behind a window, and the text for it.
  std::string slide(const char* what, int window, int stride, int padding) {
    height = (height + 2 * padding - window) / stride + 1;
    width = (width + 2 * padding - window) / stride + 1;
    return message(what, " ", window, "x", window, stride > 1 ? "/" + std::to_string(stride) : "");
  }
  void max_pool(const std::string& name) {
    const std::string kind = slide("max pool", 3, 2, 1);
    add(name, kind, 0, 9.0 * static_cast<double>(elements()), elements());
  }
  // Batch norm and ReLU behind the convolution: its output and the activation are kept for the gradient.
  void convolution(const std::string& name, int out, int kernel, int stride, int padding, bool relu) {
    const std::size_t weights = static_cast<std::size_t>(out) * channels * kernel * kernel;
    channels = out;
    const std::string kind = slide("conv", kernel, stride, padding) + " + bn" + (relu ? " + relu" : "");
    add(name, kind, weights + 2 * static_cast<std::size_t>(out), 2.0 * static_cast<double>(weights) * height * width,
        2 * elements());
  }
  // Batch norm and ReLU before the convolution, computed again for the gradient: only the output is kept.
  void batch_norm_convolution(const std::string& name, int out, int kernel, int padding) {
    const std::size_t weights = static_cast<std::size_t>(out) * channels * kernel * kernel;
    const std::size_t norm = 2 * static_cast<std::size_t>(channels);
    channels = out;
    const std::string kind = "bn + relu + " + slide("conv", kernel, 1, padding);
    add(name, kind, weights + norm, 2.0 * static_cast<double>(weights) * height * width, elements());
  }
  void stem(const char* convolution_name, const char* pool_name, int width_of_stem, bool small) {
    convolution(convolution_name, width_of_stem, small ? 3 : 7, small ? 1 : 2, small ? 1 : 3, true);
    if (!small) max_pool(pool_name);
  }
  void head(const char* pool_name, const char* name, int outputs) {
    const int features = channels;
    height = width = 1;
    add(pool_name, "global average pool", 0, 0, elements());
    channels = outputs;
    add(name, "linear", static_cast<std::size_t>(features + 1) * outputs, 2.0 * features * outputs, elements());
  }
};

void add_resnet(Table& table, const ResNetArchitecture& architecture) {
  for (std::size_t s = 0; s < architecture.widths.size(); ++s)
    for (int b = 0; b < architecture.blocks[s]; ++b) {
      const std::string name = message("layer", s + 1, ".", b);
      const int in = table.channels, in_height = table.height, in_width = table.width;
      const int stride = b == 0 && s > 0 ? 2 : 1, inner = architecture.widths[s],
                out = inner * architecture.expansion();
      if (architecture.bottleneck) {
        table.convolution(name + ".conv1", inner, 1, 1, 0, true);
        table.convolution(name + ".conv2", inner, 3, stride, 1, true);
        table.convolution(name + ".conv3", out, 1, 1, 0, true);
      } else {
        table.convolution(name + ".conv1", inner, 3, stride, 1, true);
        table.convolution(name + ".conv2", out, 3, 1, 1, true);
      }
      if (stride == 1 && in == out) continue;
      table.channels = in;
      table.height = in_height;
      table.width = in_width;
      table.convolution(name + ".downsample", out, 1, stride, 0, false);
    }
}

void add_densenet(Table& table, const DenseNetArchitecture& architecture) {
  for (std::size_t b = 0; b < architecture.layers.size(); ++b) {
    const std::string block = message("denseblock", b + 1);
    table.add(block + ".input", "copy into the block", 0, 0, table.elements());
    for (int l = 0; l < architecture.layers[b]; ++l) {
      const std::string name = message(block, ".denselayer", l + 1);
      const int channels = table.channels;
      table.batch_norm_convolution(name + ".conv1", DenseNetArchitecture::bottleneck * architecture.growth, 1, 0);
      table.batch_norm_convolution(name + ".conv2", architecture.growth, 3, 1);
      table.channels = channels + architecture.growth;
    }
    if (b + 1 < architecture.layers.size()) {
      const std::string name = message("transition", b + 1);
      table.batch_norm_convolution(name + ".conv", table.channels / 2, 1, 0);
      const std::string kind = table.slide("average pool", 2, 2, 0);
      table.add(name + ".pool", kind, 0, 4.0 * static_cast<double>(table.elements()), 0);
    } else {
      table.add("norm5", "bn + relu", 2 * static_cast<std::size_t>(table.channels), 0, 0);
    }
  }
}

}  // namespace

std::vector<LayerRow> layer_table(const NetworkOptions& options, int height, int width) {
  const Architecture& architecture = architecture_of(options);
  require(height > 0 && width > 0, "layer table: images of ", height, "x", width, " are out of range");
  const bool small = options.small_stem || architecture.small_stem_only;
  Table table{{}, options.in_channels, height, width};
  if (architecture.resnet) {
    table.stem("conv1", "maxpool", architecture.resnet->widths[0], small);
    add_resnet(table, *architecture.resnet);
  } else {
    table.stem("conv0", "pool0", architecture.densenet->stem, small);
    add_densenet(table, *architecture.densenet);
  }
  table.head("avgpool", architecture.head(), options.outputs);
  return std::move(table.rows);
}

}  // namespace preceptor
