// Opens what an evaluation reads.
#include "apps/evaluation/source.h"

#include <cstdio>
#include <filesystem>

#include "apps/inference/card_and_data.h"
#include "apps/runs/run_record.h"
#include "data/formats/open_dataset.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

PredictionTable read_table(const std::string& path, const std::string& labels) {
  return labels.empty() ? read_predictions(path) : read_plain_predictions(path, labels);
}

Source run_source(const std::string& path, const SourceOptions& options) {
  require(options.data.empty(), "--data is for checkpoints; ", path, " is a run: give ", path,
          "/best.safetensors to evaluate it on other images");
  require(options.split != "train", path, ": a run keeps predictions of val and test; --split train needs ", path,
          "/best.safetensors and --data");
  return {path, read_run_predictions(path, options.split), read_run_predictions(path, "val"), std::nullopt,
          std::nullopt};
}

Source checkpoint_source(const std::string& path, const SourceOptions& options) {
  require(!options.data.empty(), path, ": a checkpoint needs --data; tables of predictions end in .csv");
  const CardCheckpoint checkpoint = load_card_checkpoint(path);
  const auto context = open_context(options.device, options.threads, 0, options.precision);
  const LoadedModel model = load_model(*context, checkpoint);
  const Dataset data = open_dataset(options.data);
  require_fits(checkpoint, data);
  for (const std::string& note : data.notes) std::fprintf(stderr, "%s\n", note.c_str());
  if (data.height != model.card.height || data.width != model.card.width)
    std::fprintf(stderr, "the network was trained on images of %dx%d pixels, these have %dx%d\n", model.card.height,
                 model.card.width, data.height, data.width);
  const auto predict = [&](const std::string& name, std::optional<double>* loss) {
    const Split& split = split_named(data, name, options.data);
    const Predictions predictions =
        predict_split(*context, *model.network, model.card, data, split, {.batch = options.batch});
    // The training loss of a cumulative network is not the loss of single grades.
    if (loss != nullptr && !model.card.cumulative) *loss = predictions.loss;
    return prediction_table(data, split, name, predictions);
  };
  Source source{path, {}, std::nullopt, checkpoint.card.operating_point, std::nullopt};
  source.table = predict(options.split, &source.loss);
  if (options.wants_validation) source.validation = predict("val", nullptr);
  return source;
}

}  // namespace

Source open_source(const std::string& input, const SourceOptions& options) {
  if (std::filesystem::is_directory(input)) return run_source(input, options);
  if (!input.ends_with(".csv")) return checkpoint_source(input, options);
  Source source{input, read_table(input, options.labels), std::nullopt, std::nullopt, std::nullopt};
  if (!options.validation.empty()) {
    source.validation = read_table(options.validation, options.labels);
    require_data(
        source.validation->label_names == source.table.label_names && source.validation->task == source.table.task,
        options.validation, ": its labels are not those of ", input);
  }
  return source;
}

}  // namespace preceptor
