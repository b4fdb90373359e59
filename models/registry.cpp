// Model names, their description in checkpoints, and the table of their layers.
#include "models/registry.h"

#include <charconv>

#include "models/architecture.h"

namespace preceptor {
namespace {

struct Named {
  const char* name;
  ResNetArchitecture architecture;
};

const std::vector<Named>& architectures() {
  static const std::vector<Named> table = {
      {"resnet18", {{64, 128, 256, 512}, {2, 2, 2, 2}, false}},
      {"resnet34", {{64, 128, 256, 512}, {3, 4, 6, 3}, false}},
      {"resnet50", {{64, 128, 256, 512}, {3, 4, 6, 3}, true}},
      {"resnet8", {{16, 32, 64}, {1, 1, 1}, false}},
      {"resnet14", {{16, 32, 64}, {2, 2, 2}, false}},
      {"resnet20", {{16, 32, 64}, {3, 3, 3}, false}},
  };
  return table;
}

int positive(const Metadata& metadata, const char* key, const std::string& path) {
  const auto found = metadata.find(key);
  require_data(found != metadata.end(), path, ": the metadata has no ", key,
               "; is it a checkpoint of preceptor-train?");
  int value = 0;
  const char* end = found->second.data() + found->second.size();
  const auto [rest, error] = std::from_chars(found->second.data(), end, value);
  require_data(error == std::errc() && rest == end && value > 0, path, ": the metadata's ", key,
               " is no count: ", found->second);
  return value;
}

// Builds the rows while it follows the sizes through the network.
struct TableBuilder {
  std::vector<LayerRow> rows;
  int channels, height, width;

  void add(const std::string& name, const std::string& kind, std::size_t parameters, double operations, int kept_maps) {
    const std::size_t elements = static_cast<std::size_t>(channels) * height * width;
    rows.push_back(
        {name, kind, {channels, height, width}, parameters, operations, elements * kept_maps * sizeof(float)});
  }
  // Kept for the gradient: the convolution's output and, where a ReLU follows, the activation.
  void convolution(const std::string& name, int out, int kernel, int stride, int padding, bool relu) {
    const int in = channels;
    channels = out;
    height = (height + 2 * padding - kernel) / stride + 1;
    width = (width + 2 * padding - kernel) / stride + 1;
    const std::size_t weights = static_cast<std::size_t>(out) * in * kernel * kernel;
    const double operations = 2.0 * static_cast<double>(weights) * height * width;
    const std::string kind = message("conv ", kernel, "x", kernel, stride > 1 ? "/" + std::to_string(stride) : "",
                                     " + bn", relu ? " + relu" : "");
    add(name, kind, weights + 2 * static_cast<std::size_t>(out), operations, 2);
  }
};

}  // namespace

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const Named& entry : architectures()) names.push_back(entry.name);
  return names;
}

ResNetArchitecture resnet_architecture(const ResNetOptions& options) {
  require(options.in_channels > 0 && options.outputs > 0, options.name, ": ", options.in_channels,
          " input channels and ", options.outputs, " outputs are out of range");
  std::string names;
  for (const Named& entry : architectures()) {
    if (options.name == entry.name) return entry.architecture;
    names += (names.empty() ? "" : ", ") + std::string(entry.name);
  }
  fail(ErrorKind::usage, "there is no model ", options.name, "; the models are ", names);
}

std::unique_ptr<ResNet> make_model(Context& context, const ResNetOptions& options) {
  ResNetOptions resolved = options;
  if (resnet_architecture(options).widths[0] == 16) resolved.small_stem = true;  // the narrow students have no other
  return std::make_unique<ResNet>(context, resolved);
}

Metadata describe(const ResNetOptions& options) {
  return {{"model", options.name},
          {"in_channels", std::to_string(options.in_channels)},
          {"outputs", std::to_string(options.outputs)},
          {"stem", options.small_stem ? "small" : "imagenet"}};
}

ResNetOptions options_from(const Metadata& metadata, const std::string& path) {
  ResNetOptions options;
  const auto text = [&](const char* key) {
    const auto found = metadata.find(key);
    require_data(found != metadata.end(), path, ": the metadata has no ", key,
                 "; is it a checkpoint of preceptor-train?");
    return found->second;
  };
  options.name = text("model");
  options.in_channels = positive(metadata, "in_channels", path);
  options.outputs = positive(metadata, "outputs", path);
  const std::string stem = text("stem");
  require_data(stem == "small" || stem == "imagenet", path,
               ": the metadata's stem is neither small nor imagenet: ", stem);
  options.small_stem = stem == "small";
  return options;
}

std::vector<LayerRow> layer_table(const ResNetOptions& options, int height, int width) {
  const ResNetArchitecture architecture = resnet_architecture(options);
  require(height > 0 && width > 0, "layer table: images of ", height, "x", width, " are out of range");
  const bool small_stem = options.small_stem || architecture.widths[0] == 16;
  TableBuilder table{{}, options.in_channels, height, width};
  if (small_stem)
    table.convolution("conv1", architecture.widths[0], 3, 1, 1, true);
  else
    table.convolution("conv1", architecture.widths[0], 7, 2, 3, true);
  if (!small_stem) {
    table.height = (table.height + 1) / 2;
    table.width = (table.width + 1) / 2;
    table.add("maxpool", "max pool 3x3/2", 0, 9.0 * table.channels * table.height * table.width, 1);
  }
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
  const int features = table.channels;
  table.height = table.width = 1;
  table.add("avgpool", "global average pool", 0, 0, 1);
  table.channels = options.outputs;
  table.add("fc", "linear", static_cast<std::size_t>(features + 1) * options.outputs, 2.0 * features * options.outputs,
            1);
  return std::move(table.rows);
}

}  // namespace preceptor
