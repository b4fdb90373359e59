// preceptor-inspect: what a network consists of and the memory a training step of it takes; or what a checkpoint holds.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "apps/command_line/command_line.h"
#include "engine/ops.h"
#include "engine/optimizer.h"
#include "engine/train_step.h"
#include "models/layer_table.h"
#include "models/registry.h"
#include "models/weights.h"

namespace preceptor {
namespace {

struct InspectOptions {
  std::string subject;  // a model name or a checkpoint
  std::string input = "3x224x224";
  int outputs = 1000, batch = 32;
  std::string stem = "auto", device = "cpu";
  int threads = 0;
  bool json = false;
};

struct InputSize {
  int channels, height, width;
};

InputSize parse_input(const std::string& text) {
  InputSize size{};
  int read = 0;
  const int fields = std::sscanf(text.c_str(), "%dx%dx%d%n", &size.channels, &size.height, &size.width, &read);
  require(fields == 3 && read == static_cast<int>(text.size()), "--input ", text,
          ": expected CHANNELSxHEIGHTxWIDTH, for example 1x28x28");
  require(size.channels == 1 || size.channels == 3, "--input ", text, ": images have 1 or 3 channels");
  require(size.height >= 8 && size.height <= 4096 && size.width >= 8 && size.width <= 4096, "--input ", text,
          ": heights and widths from 8 to 4096 pixels");
  return size;
}

// "64x3x7x7"; empty without dimensions.
std::string sizes_text(const Shape& shape) {
  std::string text;
  for (const int size : shape.sizes()) text += (text.empty() ? "" : "x") + std::to_string(size);
  return text;
}

struct StepMemory {
  std::size_t persistent, step;
};

// The pools' peaks after one real training step with Adam on random images and labels.
StepMemory measure_training_step(const InspectOptions& options, const NetworkOptions& network, const InputSize& size) {
  const auto context = open_context(options.device, options.threads, 1);
  const int batch = options.batch;
  const auto model = make_model(*context, network);
  model->initialize(1);
  const Shape shape{batch, network.in_channels, size.height, size.width};
  const Buffer images(context->pool(Lifetime::persistent), shape.elements());
  std::vector<std::uint8_t> pixels(shape.elements());
  std::mt19937 bits(1);
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(bits() >> 24);
  context->copy(images.data(), pixels.data(), pixels.size());
  const Tensor labels = context->zeros({batch}, Lifetime::persistent);
  Optimizer optimizer(model->parameters(), OptimizerOptions{});
  AugmentOptions augmentation;
  augmentation.mean.assign(static_cast<std::size_t>(network.in_channels), 0.5f);
  augmentation.deviation.assign(static_cast<std::size_t>(network.in_channels), 0.25f);
  TrainStep step(*context, [&] {
    const Tensor input = augment(*context, static_cast<const std::uint8_t*>(images.data()), shape, augmentation);
    const Tensor loss = softmax_cross_entropy(model->forward(input, Mode::train).logits, labels);
    context->tape().backward();
    optimizer.step();
  });
  step();
  return {context->pool(Lifetime::persistent).peak(), context->pool(Lifetime::step).peak()};
}

double mebibytes(std::size_t bytes) { return static_cast<double>(bytes) / 0x1p20; }

LayerRow total_of(const std::vector<LayerRow>& rows) {
  LayerRow total;
  total.name = "total";
  for (const LayerRow& row : rows) {
    total.parameters += row.parameters;
    total.operations += row.operations;
    total.activation_bytes += row.activation_bytes;
  }
  return total;
}

void print_layer(const LayerRow& row, int name_width, int kind_width) {
  std::printf("%-*s  %-*s  %12s  %12zu  %10.4f  %10.1f\n", name_width, row.name.c_str(), kind_width, row.kind.c_str(),
              sizes_text(row.output).c_str(), row.parameters, row.operations / 1e9,
              static_cast<double>(row.activation_bytes) / 1024);
}

void print_model(const InspectOptions& options, const NetworkOptions& network, const std::vector<LayerRow>& rows,
                 const StepMemory& memory) {
  std::size_t name_width = 5, kind_width = 4;
  for (const LayerRow& row : rows) {
    name_width = std::max(name_width, row.name.size());
    kind_width = std::max(kind_width, row.kind.size());
  }
  const int names = static_cast<int>(name_width), kinds = static_cast<int>(kind_width);
  std::printf("%s, input %s, %d outputs, %s stem; operations and activations of one image\n\n", network.name.c_str(),
              options.input.c_str(), network.outputs, network.small_stem ? "small" : "imagenet");
  std::printf("%-*s  %-*s  %12s  %12s  %10s  %10s\n", names, "layer", kinds, "kind", "output", "parameters", "GFLOP",
              "KiB");
  for (const LayerRow& row : rows) print_layer(row, names, kinds);
  print_layer(total_of(rows), names, kinds);
  std::printf(
      "\nPeak memory of a training step with Adam at batch %d (measured): %.1f MiB = %.1f MiB that stay (parameters,\n"
      "gradients, moments, staged images) + %.1f MiB of the step\n",
      options.batch, mebibytes(memory.persistent + memory.step), mebibytes(memory.persistent), mebibytes(memory.step));
}

void print_model_json(const InspectOptions& options, const NetworkOptions& network, const std::vector<LayerRow>& rows,
                      const StepMemory& memory, const InputSize& size) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const LayerRow& row : rows)
    layers.push_back({{"name", row.name},
                      {"kind", row.kind},
                      {"output", row.output.sizes()},
                      {"parameters", row.parameters},
                      {"operations", row.operations},
                      {"activation_bytes", row.activation_bytes}});
  const LayerRow total = total_of(rows);
  const nlohmann::ordered_json result{{"model", network.name},
                                      {"input", {size.channels, size.height, size.width}},
                                      {"outputs", network.outputs},
                                      {"stem", network.small_stem ? "small" : "imagenet"},
                                      {"layers", layers},
                                      {"parameters", total.parameters},
                                      {"operations", total.operations},
                                      {"activation_bytes", total.activation_bytes},
                                      {"training_step",
                                       {{"batch", options.batch},
                                        {"optimizer", "adam"},
                                        {"persistent_bytes", memory.persistent},
                                        {"step_bytes", memory.step},
                                        {"peak_bytes", memory.persistent + memory.step}}}};
  std::cout << result.dump(1) << '\n';
}

void inspect_model(const InspectOptions& options) {
  const InputSize size = parse_input(options.input);
  NetworkOptions network{.name = options.subject, .in_channels = size.channels, .outputs = options.outputs};
  network.small_stem = options.stem == "small" || (options.stem == "auto" && std::max(size.height, size.width) <= 64);
  network.small_stem |= architecture_of(network).small_stem_only;
  const auto context = Context::on_cpu(options.threads, 0);
  const std::vector<LayerRow> rows = layer_table(*make_model(*context, network), size.height, size.width);
  const StepMemory memory = measure_training_step(options, network, size);
  options.json ? print_model_json(options, network, rows, memory, size) : print_model(options, network, rows, memory);
}

// A file of weights shown as it is: a checkpoint of ours, other safetensors, a PyTorch file.
struct Findings {
  WeightFile file;
  std::map<std::string, std::string> renamed;  // as in NamedWeights
  std::optional<NetworkOptions> network;
  std::size_t values = 0, not_finite = 0;
};

// NaN is shown, not refused.
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

void print_file_json(const Findings& findings) {
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

void print_file(const Findings& findings) {
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

void inspect_file(const std::string& path, bool json) {
  const Findings findings = look_at(path);
  json ? print_file_json(findings) : print_file(findings);
}

int run_inspect(int argc, char** argv) {
  InspectOptions options;
  OptionTable table;
  table(options.subject, "model", "NAME",
        "Network (resnet18, resnet8, ...), or a file of weights: .safetensors, .pth, .pt", {.required = true});
  table(options.input, "--input", "SIZE", "CHANNELSxHEIGHTxWIDTH of an image");
  table(options.outputs, "--outputs", "COUNT", "Classes or labels", {.at_least = 1, .at_most = 1 << 20});
  table(options.stem, "--stem", "NAME", "imagenet, small, or auto: small for images of at most 64 pixels",
        {.one_of = {"imagenet", "small", "auto"}});
  table(options.batch, "--batch", "COUNT", "Images in the measured training step", {.at_least = 1, .at_most = 1 << 16});
  add_device(table, options.device);
  add_threads(table, options.threads);
  table(options.json, "--json", "Print one JSON object");
  const CommandHelp help = {
      "preceptor-inspect",
      "Prints the layers of a network and the memory of a training step, or the contents of a checkpoint."};
  if (!parse_command_line(help, table, argc, argv)) return 0;
  // No model's name has a dot or a slash.
  const bool is_file = options.subject.find_first_of("./") != std::string::npos;
  is_file ? inspect_file(options.subject, options.json) : inspect_model(options);
  return 0;
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_inspect); }
