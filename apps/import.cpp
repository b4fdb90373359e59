// preceptor-import: makes a checkpoint, with its card, of weights from elsewhere.
#include <cmath>
#include <cstdio>
#include <limits>

#include "apps/command_line/command_line.h"
#include "apps/inference/card_and_data.h"
#include "engine/files/check.h"
#include "models/loaded_model.h"
#include "models/registry.h"
#include "models/weights.h"

namespace preceptor {
namespace {

struct ImportOptions {
  std::string weights, model = "auto", out, task = "multi-label";
  int channels = 0, input_size = 224;
  std::vector<std::string> labels;
  std::vector<float> mean, deviation;
};

bool parse(ImportOptions& options, int argc, char** argv) {
  OptionTable table;
  table(options.weights, "weights", "FILE", "File of weights", {.required = true});
  table(options.out, "--out", "FILE", "Checkpoint to write", {.required = true});
  table(options.model, "--model", "NAME", "Network, or auto: the one that the tensors look like");
  table(options.channels, "--channels", "COUNT",
        "Channels of the images, 1 or 3; 0: those of the file. 1 sums a stem of 3 channels", {.check = [&options] {
          const int channels = options.channels;
          require(channels == 0 || channels == 1 || channels == 3, "--channels ", channels, ": not one of 0, 1, 3");
        }});
  table(options.task, "--task", "NAME", "multi-label, multi-class or ordinal",
        {.one_of = {"multi-label", "multi-class", "ordinal"}});
  table(options.labels, "--labels", "NAME,...", "Names of the outputs in order; by default label1, label2, ...");
  table(options.mean, "--mean", "NUMBER,...",
        "Mean of pixel / 255 for each channel; by default ImageNet's for files of 3 channels");
  table(options.deviation, "--deviation", "NUMBER,...", "Standard deviation, as --mean");
  table(options.input_size, "--input-size", "PIXELS", "Height and width of the images it was trained on",
        {.at_least = 8, .at_most = 4096});
  return parse_command_line(
      {"preceptor-import",
       "Makes a checkpoint of weights from elsewhere (safetensors, or a PyTorch file .pth or .pt), so that it can be "
       "a\n"
       "teacher, be evaluated, or start a training.",
       "Examples:\n"
       "  preceptor-import chexnet.pth --out teacher.safetensors --labels Atelectasis,Cardiomegaly,...\n"
       "  preceptor-import xrv.pt --out teacher.safetensors --mean 0.5 --deviation 0.00048828125\n\n"
       "stderr lists what was matched, renamed and skipped; anything missing or left over is an error."},
      table, argc, argv);
}

NetworkOptions network_of(const ImportOptions& options, const std::optional<NetworkOptions>& recognized) {
  const std::string& path = options.weights;
  require_data(recognized.has_value(), path, ": the tensors look like none of our networks; preceptor-inspect ", path,
               " lists them");
  require_data(options.model == "auto" || options.model == recognized->name, path, ": the tensors look like ",
               recognized->name, ", not like ", options.model);
  NetworkOptions network = *recognized;
  require_data(network.outputs > 0, path, ": has no last layer ", architecture_of(network).head());
  require_data(network.in_channels == 1 || network.in_channels == 3, path, ": takes images of ", network.in_channels,
               " channels; 1 or 3 are possible");
  if (options.channels > 0) {
    require(options.channels == network.in_channels || options.channels == 1, "--channels ", options.channels, ": ",
            path, " takes images of ", network.in_channels);
    network.in_channels = options.channels;
  }
  return network;
}

// Replaces ImageNet's values, which are the custom for files of 3 channels.
void take_values(const char* flag, const std::vector<float>& given, int channels_of_file, std::vector<float>& values) {
  require(!given.empty() || channels_of_file == 3, flag, " is missing: there is no custom for files of 1 channel");
  require(given.empty() || given.size() == values.size(), flag, ": ", given.size(), " numbers for ", values.size(),
          " channels");
  if (!given.empty()) values = given;
}

ModelCard card_of(const ImportOptions& options, const NetworkOptions& network, int channels_of_file) {
  ModelCard card;
  card.network = network;
  for (const Task task : {Task::multi_class, Task::multi_label, Task::ordinal})
    if (options.task == to_string(task)) card.task = task;
  card.height = card.width = options.input_size;
  use_imagenet_normalization(card);
  take_values("--mean", options.mean, channels_of_file, card.mean);
  take_values("--deviation", options.deviation, channels_of_file, card.deviation);
  for (const float value : card.mean) require(std::abs(value) <= 1e6f, "--mean ", value, ": not from -1e6 to 1e6");
  for (const float value : card.deviation)
    require(value >= 1e-6f && value <= 1e6f, "--deviation ", value, ": not from 1e-6 to 1e6");
  card.labels = options.labels;
  if (card.labels.empty())
    for (int i = 1; i <= network.outputs; ++i) card.labels.push_back("label" + std::to_string(i));
  require(card.labels.size() == static_cast<std::size_t>(network.outputs), "--labels: ", card.labels.size(),
          " names for ", network.outputs, " outputs");
  card.data = "imported";
  card.val_auc = std::numeric_limits<double>::quiet_NaN();  // nothing was measured here
  return card;
}

int run_import(int argc, char** argv) {
  ImportOptions options;
  if (!parse(options, argc, argv)) return 0;
  NamedWeights weights = with_torchvision_names(load_weights(options.weights));
  const std::optional<NetworkOptions> recognized = recognize_network(weights.file.checkpoint.tensors);
  const NetworkOptions network = network_of(options, recognized);
  const ModelCard card = card_of(options, network, recognized->in_channels);
  const auto context = Context::on_cpu(0, 0);
  const auto model = make_model(*context, network);
  const WeightFit fit = fit_weights(std::move(weights), *model);
  load_fit(*model, fit, false);
  Metadata metadata = to_metadata(card);
  metadata.insert(fit.kept.begin(), fit.kept.end());
  save_safetensors(options.out, model->parameters().state(), metadata);
  for (const std::string& line : describe(fit)) std::fprintf(stderr, "%s: %s\n", options.weights.c_str(), line.c_str());
  std::fprintf(stderr, "%s: %s for %d channels, %d outputs, %s stem\n", options.out.c_str(), network.name.c_str(),
               network.in_channels, network.outputs, network.small_stem ? "small" : "imagenet");
  return 0;
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_import); }
