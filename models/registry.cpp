// Model names, and their description in checkpoints.
#include "models/registry.h"

#include <charconv>

#include "engine/files/text.h"

namespace preceptor {

const std::vector<Architecture>& architectures() {
  using R = ResNetArchitecture;
  using D = DenseNetArchitecture;
  using C = CbrArchitecture;
  const auto resnet = "He et al. 2015", narrow = "16, 32 and 64 channels, small stem (He et al. 2015, section 4.2)",
             densenet = "Huang et al. 2017",
             narrow_dense = "three blocks of growth 16, small stem (Huang et al. 2017, section 3)";
  static const std::vector<Architecture> table = {
      {"resnet18", resnet, R{{64, 128, 256, 512}, {2, 2, 2, 2}}},
      {"resnet34", resnet, R{{64, 128, 256, 512}, {3, 4, 6, 3}}},
      {"resnet50", resnet, R{{64, 128, 256, 512}, {3, 4, 6, 3}, true}},
      {"resnet101", resnet, R{{64, 128, 256, 512}, {3, 4, 23, 3}, true}},
      {"resnet8", narrow, R{{16, 32, 64}, {1, 1, 1}}, true},
      {"resnet14", narrow, R{{16, 32, 64}, {2, 2, 2}}, true},
      {"resnet20", narrow, R{{16, 32, 64}, {3, 3, 3}}, true},
      {"densenet121", densenet, D{32, 64, {6, 12, 24, 16}}},
      {"densenet169", densenet, D{32, 64, {6, 12, 32, 32}}},
      {"densenet16", narrow_dense, D{16, 32, {2, 2, 2}}, true},
      {"densenet28", narrow_dense, D{16, 32, {4, 4, 4}}, true},
      {"cbr-larget", "Raghu et al. 2019", C{7, {32, 64, 128, 256, 512}, false}, true},
      // The widths match the number of parameters in the paper's table; its appendix names twice as many channels.
      {"cbr-tiny", "Raghu et al. 2019", C{5, {32, 64, 128, 256}, true}, true},
  };
  return table;
}

const char* Architecture::head() const {
  return std::visit([]<class Sizes>(const Sizes&) { return Sizes::head_name; }, sizes);
}

std::vector<std::string> model_names() {
  std::vector<std::string> names;
  for (const Architecture& entry : architectures()) names.push_back(entry.name);
  return names;
}

const Architecture& architecture_of(const NetworkOptions& options) {
  require(options.in_channels > 0 && options.outputs > 0, options.name, ": ", options.in_channels,
          " input channels and ", options.outputs, " outputs are out of range");
  for (const Architecture& entry : architectures())
    if (options.name == entry.name) return entry;
  fail(ErrorKind::usage, "there is no model ", options.name, "; the models are ",
       list(architectures(), &Architecture::name));
}

std::unique_ptr<Network> make_model(Context& context, const NetworkOptions& options) {
  const Architecture& architecture = architecture_of(options);
  require(options.dropout == 0 || std::holds_alternative<DenseNetArchitecture>(architecture.sizes), options.name,
          " has no dropout; dense networks have");
  NetworkOptions resolved = options;
  resolved.small_stem |= architecture.small_stem_only;
  return std::visit([&](const auto& sizes) { return std::make_unique<Network>(context, resolved, sizes); },
                    architecture.sizes);
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
  const auto positive = [&](const char* key) {
    const std::string word = text(key);
    int value = 0;
    const char* end = word.data() + word.size();
    const auto [rest, error] = std::from_chars(word.data(), end, value);
    require_data(error == std::errc() && rest == end && value > 0, path, ": the metadata's ", key,
                 " is no count: ", word);
    return value;
  };
  options.name = text("model");
  options.in_channels = positive("in_channels");
  options.outputs = positive("outputs");
  const std::string stem = text("stem");
  require_data(stem == "small" || stem == "imagenet", path,
               ": the metadata's stem is neither small nor imagenet: ", stem);
  options.small_stem = stem == "small";
  return options;
}

}  // namespace preceptor
