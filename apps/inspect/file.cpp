// Files of weights shown as they are: our checkpoints, other safetensors, PyTorch files.
#include "apps/inspect/file.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "models/weights.h"

namespace preceptor {
namespace {

struct Findings {
  WeightFile file;
  std::map<std::string, std::string> renamed;  // as in NamedWeights
  std::optional<NetworkOptions> network;
  std::size_t values = 0, not_finite = 0;
};

Findings look_at(const std::string& path) {
  Findings findings{load_weights(path), {}, {}};
  for (const auto& [name, tensor] : findings.file.checkpoint.tensors) {
    findings.values += tensor.values.size();
    findings.not_finite += static_cast<std::size_t>(
        std::count_if(tensor.values.begin(), tensor.values.end(), [](float v) { return !std::isfinite(v); }));
  }
  NamedWeights named = with_torchvision_names(findings.file);  // of a copy: the table shows the file's own names
  findings.network = recognize_network(named.file.checkpoint.tensors);
  findings.renamed = std::move(named.renamed);
  return findings;
}

void print_json(const Findings& findings) {
  const Checkpoint& checkpoint = findings.file.checkpoint;
  nlohmann::ordered_json tensors = nlohmann::ordered_json::object(), network;
  for (const auto& [name, tensor] : checkpoint.tensors) tensors[name] = tensor.shape.sizes();
  if (findings.network)
    network = {{"model", findings.network->name},
               {"in_channels", findings.network->in_channels},
               {"outputs", findings.network->outputs},
               {"stem", findings.network->small_stem ? "small" : "imagenet"}};
  const nlohmann::ordered_json result{{"file", findings.file.path},       {"format", findings.file.format},
                                      {"place", findings.file.place},     {"network", network},
                                      {"metadata", checkpoint.metadata},  {"tensors", tensors},
                                      {"skipped", checkpoint.skipped},    {"values", findings.values},
                                      {"not_finite", findings.not_finite}};
  // Names in a PyTorch file may be no UTF-8.
  std::cout << result.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
}

void print_table(const Findings& findings) {
  const Checkpoint& checkpoint = findings.file.checkpoint;
  std::size_t name_width = 4;
  for (const auto& [name, tensor] : checkpoint.tensors) name_width = std::max(name_width, name.size());
  std::printf("%s: %s%s%s\n", findings.file.path.c_str(), findings.file.format.c_str(),
              findings.file.place.empty() ? "" : ", tensors in ", findings.file.place.c_str());
  for (const auto& [key, value] : checkpoint.metadata) std::printf("  %s = %s\n", key.c_str(), value.c_str());
  const int width = static_cast<int>(std::min<std::size_t>(name_width, 100));
  std::printf("\n%-*s  %16s  %12s\n", width, "name", "shape", "values");
  for (const auto& [name, tensor] : checkpoint.tensors) {
    const std::string sizes = sizes_text(tensor.shape);
    std::printf("%-*s  %16s  %12zu\n", width, name.c_str(), sizes.empty() ? "one value" : sizes.c_str(),
                tensor.values.size());
  }
  std::printf("%zu tensors, %zu values\n", checkpoint.tensors.size(), findings.values);
  if (!checkpoint.skipped.empty())
    std::printf("%zu tensors of whole numbers skipped, the first is %s\n", checkpoint.skipped.size(),
                checkpoint.skipped.front().c_str());
  if (findings.not_finite > 0) std::printf("%zu values are NaN or infinite\n", findings.not_finite);
  if (!findings.renamed.empty())
    std::printf("%zu names differ from torchvision's, for example %s -> %s\n", findings.renamed.size(),
                findings.renamed.begin()->second.c_str(), findings.renamed.begin()->first.c_str());
  if (!findings.network)
    std::printf("looks like none of our networks\n");
  else
    std::printf("looks like %s: %d input channels, %d outputs, %s stem\n", findings.network->name.c_str(),
                findings.network->in_channels, findings.network->outputs,
                findings.network->small_stem ? "small" : "imagenet");
}

}  // namespace

std::string sizes_text(const Shape& shape) {
  std::string text;
  for (const int size : shape.sizes()) text += (text.empty() ? "" : "x") + std::to_string(size);
  return text;
}

void inspect_file(const std::string& path, bool json) {
  const Findings findings = look_at(path);
  json ? print_json(findings) : print_table(findings);
}

}  // namespace preceptor
