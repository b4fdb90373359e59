// Model names, and their description in checkpoints.
#include "models/registry.h"

#include <charconv>

#include "engine/files/text.h"

namespace preceptor {
namespace {

struct Named {
  const char* name;
  Architecture architecture;
};

const std::vector<Named>& architectures() {
  const auto resnet = [](std::vector<int> widths, std::vector<int> blocks, bool bottleneck = false) {
    const bool narrow = widths[0] == 16;
    return Architecture{ResNetArchitecture{std::move(widths), std::move(blocks), bottleneck}, {}, {}, narrow};
  };
  const auto densenet = [](int growth, int stem, std::vector<int> layers) {
    const bool narrow = growth == 16;
    return Architecture{{}, DenseNetArchitecture{growth, stem, std::move(layers)}, {}, narrow};
  };
  const auto cbr = [](int kernel, std::vector<int> widths, bool pool_after_last) {
    return Architecture{{}, {}, CbrArchitecture{kernel, std::move(widths), pool_after_last}, true};
  };
  static const std::vector<Named> table = {
      {"resnet18", resnet({64, 128, 256, 512}, {2, 2, 2, 2})},
      {"resnet34", resnet({64, 128, 256, 512}, {3, 4, 6, 3})},
      {"resnet50", resnet({64, 128, 256, 512}, {3, 4, 6, 3}, true)},
      {"resnet101", resnet({64, 128, 256, 512}, {3, 4, 23, 3}, true)},
      {"resnet8", resnet({16, 32, 64}, {1, 1, 1})},
      {"resnet14", resnet({16, 32, 64}, {2, 2, 2})},
      {"resnet20", resnet({16, 32, 64}, {3, 3, 3})},
      {"densenet121", densenet(32, 64, {6, 12, 24, 16})},
      {"densenet169", densenet(32, 64, {6, 12, 32, 32})},
      {"densenet16", densenet(16, 32, {2, 2, 2})},
      {"densenet28", densenet(16, 32, {4, 4, 4})},
      {"cbr-larget", cbr(7, {32, 64, 128, 256, 512}, false)},
      {"cbr-tiny", cbr(5, {32, 64, 128, 256}, true)},
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

}  // namespace

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const Named& entry : architectures()) names.push_back(entry.name);
  return names;
}

const Architecture& architecture_of(const NetworkOptions& options) {
  require(options.in_channels > 0 && options.outputs > 0, options.name, ": ", options.in_channels,
          " input channels and ", options.outputs, " outputs are out of range");
  for (const Named& entry : architectures())
    if (options.name == entry.name) return entry.architecture;
  fail(ErrorKind::usage, "there is no model ", options.name, "; the models are ", list(architectures(), &Named::name));
}

std::unique_ptr<Network> make_model(Context& context, const NetworkOptions& options) {
  const Architecture& architecture = architecture_of(options);
  require(options.dropout == 0 || architecture.densenet, options.name, " has no dropout; dense networks have");
  NetworkOptions resolved = options;
  resolved.small_stem |= architecture.small_stem_only;
  if (architecture.resnet) return std::make_unique<ResNet>(context, resolved, *architecture.resnet);
  if (architecture.densenet) return std::make_unique<DenseNet>(context, resolved, *architecture.densenet);
  return std::make_unique<Cbr>(context, resolved, *architecture.cbr);
}

Metadata describe(const NetworkOptions& options) {
  return {{"model", options.name},
          {"in_channels", std::to_string(options.in_channels)},
          {"outputs", std::to_string(options.outputs)},
          {"stem", options.small_stem ? "small" : "imagenet"}};
}

NetworkOptions options_from(const Metadata& metadata, const std::string& path) {
  NetworkOptions options;
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

}  // namespace preceptor
