// Names of other programs' weights, and what fits.
#include "models/weights.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include "engine/files/check.h"
#include "models/registry.h"

namespace preceptor {
namespace {

bool take_off(std::string& name, const std::string& prefix) {
  if (!name.starts_with(prefix)) return false;
  name.erase(0, prefix.size());
  return true;
}

std::string torchvision_name(std::string name, const std::vector<std::string>& prefixes) {
  while (std::any_of(prefixes.begin(), prefixes.end(),
                     [&](const std::string& prefix) { return take_off(name, prefix); })) {
  }
  for (const char* head : {ResNetArchitecture::head_name, DenseNetArchitecture::head_name})
    if (std::string rest = name; take_off(rest, std::string(head) + ".0.")) return std::string(head) + "." + rest;
  const std::size_t layer = name.find(".denselayer");
  if (layer == std::string::npos) return name;
  // denselayer7.conv.2.weight: a dot stood where today's names have none.
  for (const char* part : {".norm.", ".conv."}) {
    const std::size_t at = name.find(part, layer);
    if (at != std::string::npos) name.erase(at + std::string(part).size() - 1, 1);
  }
  return name;
}

std::string first_of(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(names.size(), 4); ++i)
    text += (i ? ", " : "") + names[i].substr(0, 200);
  return names.size() > 4 ? text + ", ..." : text;
}

PlainTensor sum_over_channels(const PlainTensor& stem) {
  const int out = stem.shape[0], in = stem.shape[1], window = stem.shape[2] * stem.shape[3];
  PlainTensor sum{{out, 1, stem.shape[2], stem.shape[3]}, {}};
  for (int o = 0; o < out; ++o)
    for (int i = 0; i < window; ++i) {
      double value = 0;
      for (int c = 0; c < in; ++c)
        value += static_cast<double>(stem.values[static_cast<std::size_t>((o * in + c) * window + i)]);
      sum.values.push_back(static_cast<float>(value));
    }
  return sum;
}

// The shortest text that reads back to the same number; null for NaN.
std::string json_list(const std::vector<float>& values) {
  std::string text;
  for (const float value : values) {
    char digits[32];
    const char* const end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    text += (text.empty() ? "" : ",") +
            (std::isfinite(value) ? std::string(static_cast<const char*>(digits), end) : "null");
  }
  return "[" + text + "]";
}

// The output channels of a convolution of this name; 0 if there is none.
int out_channels(const StateDict& tensors, const std::string& name) {
  const auto weight = tensors.find(name);
  return weight != tensors.end() && weight->second.shape.rank() == 4 ? weight->second.shape[0] : 0;
}

// The sizes that tell architectures apart, read off the weights; empty lists where there are none.
ResNetArchitecture resnet_of(const StateDict& tensors) {
  ResNetArchitecture found;
  const auto width = [&](std::size_t stage, int block) {
    return out_channels(tensors, message("layer", stage, ".", block, ".conv1.weight"));
  };
  while (width(found.widths.size() + 1, 0) > 0) {
    const std::size_t stage = found.widths.size() + 1;
    found.widths.push_back(width(stage, 0));
    found.blocks.push_back(0);
    while (width(stage, found.blocks.back()) > 0) ++found.blocks.back();
  }
  found.bottleneck = tensors.contains("layer1.0.conv3.weight");
  return found;
}

DenseNetArchitecture densenet_of(const StateDict& tensors, int stem) {
  DenseNetArchitecture found{0, stem, {}};
  const auto growth = [&](std::size_t block, int layer) {
    return out_channels(tensors, message("features.denseblock", block, ".denselayer", layer, ".conv2.weight"));
  };
  while (growth(found.layers.size() + 1, 1) > 0) {
    const std::size_t block = found.layers.size() + 1;
    found.growth = growth(block, 1);
    found.layers.push_back(0);
    while (growth(block, found.layers.back() + 1) > 0) ++found.layers.back();
  }
  return found;
}

}  // namespace

NamedWeights with_torchvision_names(WeightFile file) {
  std::vector<std::string> prefixes{"module.", "model."};
  for (const std::string& name : model_names()) prefixes.push_back(name + ".");
  NamedWeights weights{std::move(file), {}};
  StateDict translated, &tensors = weights.file.checkpoint.tensors;
  while (!tensors.empty()) {
    auto entry = tensors.extract(tensors.begin());
    const std::string name = entry.key();
    entry.key() = torchvision_name(name, prefixes);
    if (entry.key() != name) weights.renamed[entry.key()] = name;
    require_data(!translated.contains(entry.key()), weights.file.path, ": two tensors, one of them ",
                 name.substr(0, 200), ", would both be ", entry.key().substr(0, 200));
    translated.insert(std::move(entry));
  }
  tensors = std::move(translated);
  return weights;
}

std::optional<NetworkOptions> recognize_network(const StateDict& tensors) {
  NetworkOptions options;
  const auto find = [&](const std::string& name, int rank) {
    const auto found = tensors.find(name);
    return found != tensors.end() && found->second.shape.rank() == rank ? &found->second : nullptr;
  };
  const bool is_resnet = tensors.contains("conv1.weight");
  const PlainTensor* stem = find(is_resnet ? "conv1.weight" : "features.conv0.weight", 4);
  if (!stem) return std::nullopt;
  using Sizes = decltype(Architecture::sizes);
  const Sizes sizes = is_resnet ? Sizes(resnet_of(tensors)) : Sizes(densenet_of(tensors, stem->shape[0]));
  for (const Architecture& known : architectures()) {
    if (known.sizes != sizes) continue;
    options.name = known.name;
    options.in_channels = stem->shape[1];
    options.small_stem = stem->shape[2] == 3;
    const PlainTensor* bias = find(message(known.head(), ".bias"), 1);
    options.outputs = bias ? bias->shape[0] : 0;
    return options;
  }
  return std::nullopt;
}

WeightFit fit_weights(NamedWeights weights, Network& network) {
  WeightFit fit;
  fit.path = weights.file.path;
  fit.skipped = std::move(weights.file.checkpoint.skipped);
  for (const auto& [now, before] : weights.renamed) fit.renamed.push_back(before + " -> " + now);
  StateDict& tensors = weights.file.checkpoint.tensors;
  const std::size_t count = tensors.size();
  const std::vector<Parameter>& parameters = network.parameters().all();
  for (const Parameter& parameter : parameters) {
    const std::string& name = parameter.name();
    auto found = tensors.extract(name);
    if (found.empty()) {
      fit.missing.push_back(name);
      continue;
    }
    PlainTensor& tensor = found.mapped();
    const Shape& shape = parameter.shape();
    // The first parameter is the stem's convolution.
    if (&parameter == &parameters.front() && tensor.shape.rank() == 4 &&
        tensor.shape == Shape{shape[0], 3, shape[2], shape[3]} && shape[1] == 1) {
      tensor = sum_over_channels(tensor);
      fit.notes.push_back("the stem " + name + " for 3 channels was summed to take images of 1 channel");
    }
    if (tensor.shape != shape) {
      fit.reshaped.push_back(message(name, " is ", tensor.shape, ", the network has ", shape));
      continue;
    }
    require_finite(fit.path, name, tensor);
    if (!weights.renamed.contains(name)) fit.matched.push_back(name);
    fit.tensors.insert(std::move(found));
  }
  require_data(!fit.tensors.empty(), fit.path, ": none of its ", count, " tensors fits ", network.options().name,
               tensors.empty() ? "" : message("; the first is ", tensors.begin()->first.substr(0, 200)));
  if (const auto thresholds = tensors.extract("op_threshs")) {
    fit.kept["op_threshs"] = json_list(thresholds.mapped().values);
    fit.notes.push_back("TorchXRayVision's op_threshs are kept as metadata and not applied");
  }
  for (const auto& [name, tensor] : tensors) fit.unexpected.push_back(name);
  return fit;
}

std::vector<std::string> describe(const WeightFit& fit) {
  std::vector<std::string> lines{
      message(fit.tensors.size(), " tensors fit, ", fit.matched.size(), " under their own names")};
  const auto add = [&](const char* what, const std::vector<std::string>& names) {
    if (!names.empty()) lines.push_back(message(names.size(), " ", what, ": ", first_of(names)));
  };
  add("renamed", fit.renamed);
  add("missing", fit.missing);
  add("of another shape", fit.reshaped);
  add("unexpected", fit.unexpected);
  add("of whole numbers skipped", fit.skipped);
  lines.insert(lines.end(), fit.notes.begin(), fit.notes.end());
  return lines;
}

void load_fit(Network& network, const WeightFit& fit, bool new_head) {
  const std::string head = network.head_name() + ".";
  std::vector<std::string> problems;
  bool only_head = true;
  const auto add = [&](const char* what, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      const bool of_head = name.starts_with(head);
      if (of_head && new_head) continue;
      only_head &= of_head;
      problems.push_back(what + name.substr(0, 200));
    }
  };
  add("missing ", fit.missing);
  add("", fit.reshaped);
  add("unexpected ", fit.unexpected);
  if (!problems.empty()) {
    std::string text;
    for (std::size_t i = 0; i < std::min<std::size_t>(problems.size(), 4); ++i) text += (i ? "; " : "") + problems[i];
    if (problems.size() > 4) text += message("; and ", problems.size() - 4, " more");
    fail(ErrorKind::data, fit.path, ": the weights are of another architecture than ", network.options().name, ": ",
         text, only_head ? "; --new-head starts the last layer anew" : "");
  }
  StateDict tensors = fit.tensors;
  if (new_head) std::erase_if(tensors, [&](const auto& entry) { return entry.first.starts_with(head); });
  network.parameters().load(tensors, new_head ? std::vector<std::string>{head} : std::vector<std::string>{});
}

}  // namespace preceptor
