// preceptor-inspect: what a network consists of and the memory a training step of it takes; or what a checkpoint holds.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "apps/command_line/command_line.h"
#include "apps/inspect/file.h"
#include "engine/ops.h"
#include "engine/optimizer.h"
#include "engine/train_step.h"
#include "models/layer_table.h"
#include "models/registry.h"

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
