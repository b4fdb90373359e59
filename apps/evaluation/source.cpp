// Opens what an evaluation reads, and gathers runs into arms.
#include "apps/evaluation/source.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "apps/inference/card_and_data.h"
#include "apps/runs/run_directory.h"
#include "data/formats/open_dataset.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

namespace files = std::filesystem;

PredictionTable read_table(const std::string& path, const std::string& labels) {
  return labels.empty() ? read_predictions(path) : read_plain_predictions(path, labels);
}

Source run_source(const std::string& path, const SourceOptions& options) {
  require(options.data.empty(), "--data is for checkpoints; ", path, " is a run: give ", path,
          "/best.safetensors to evaluate it on other images");
  require(options.split != "train", path, ": a run keeps predictions of val and test; --split train needs ", path,
          "/best.safetensors and --data");
  return {path, read_run_predictions(path, options.split), read_run_predictions(path, "val")};
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
  Source source{path, {}, {}, checkpoint.card.operating_point};
  source.table = predict(options.split, &source.loss);
  if (options.wants_validation) source.validation = predict("val", nullptr);
  return source;
}

// "student-seed0" without the seed.
std::string without_seed(std::string name) {
  while (!name.empty() && name.back() >= '0' && name.back() <= '9') name.pop_back();
  for (const std::string ending : {"-seed", "_seed", "seed", "-", "_"})
    if (name.size() > ending.size() && name.ends_with(ending)) {
      name.resize(name.size() - ending.size());
      break;
    }
  return name;
}

std::string last_part(const std::string& directory) {
  const files::path path = files::path(directory).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

bool same_arm(const EvaluatedRun& a, const EvaluatedRun& b) {
  return !a.config.empty() && config_of_arm(a.config) == config_of_arm(b.config);
}

}  // namespace

Source open_source(const std::string& input, const SourceOptions& options) {
  if (files::is_directory(input)) return run_source(input, options);
  if (!input.ends_with(".csv")) return checkpoint_source(input, options);
  Source source{input, read_table(input, options.labels)};
  if (!options.validation.empty()) {
    source.validation = read_table(options.validation, options.labels);
    require_data(
        source.validation->label_names == source.table.label_names && source.validation->task == source.table.task,
        options.validation, ": its labels are not those of ", input);
  }
  return source;
}

EvaluatedRun open_run(const std::string& input, const std::string& split) {
  SourceOptions options;
  options.split = split;
  const bool is_directory = files::is_directory(input);
  require(is_directory || input.ends_with(".csv"), input,
          ": neither a run directory nor a table of predictions (.csv)");
  EvaluatedRun run;
  run.source = open_source(input, options);
  if (is_directory) static_cast<RunRecord&>(run) = read_record(input);
  return run;
}

EvaluatedRun open_run_and_checkpoint(const std::string& directory) {
  EvaluatedRun run;
  static_cast<RunRecord&>(run) = read_record(directory);
  run.name = last_part(directory);
  const std::string path = RunDirectory(directory).best_path();
  const CardCheckpoint checkpoint = load_card_checkpoint(path);
  run.card = checkpoint.card;
  for (const auto& [name, tensor] : checkpoint.tensors)
    if (!name.ends_with(".running_mean") && !name.ends_with(".running_var")) run.parameters += tensor.values.size();
  const std::string bytes = read_file(path);
  run.checkpoint_digest = sha256(bytes);
  run.checkpoint_bytes = bytes.size();

  run.source.name = directory;
  for (const auto& [name, table] : {std::pair{"val", &run.source.validation.emplace()}, {"test", &run.source.table}}) {
    *table = read_run_predictions(directory, name);
    require_data(table->label_names == run.card.labels && table->rows() > 0, table->source,
                 ": has other labels than the run's checkpoint, or no rows");
  }
  return run;
}

std::vector<Arm> arms_of(std::vector<EvaluatedRun> runs) {
  std::vector<Arm> arms;
  for (EvaluatedRun& run : runs) {
    auto arm = std::ranges::find_if(arms, [&](const Arm& one) { return same_arm(run, one.runs.front()); });
    if (arm == arms.end()) arm = arms.insert(arm, Arm{run.name, "", {}});
    arm->runs.push_back(std::move(run));
  }
  for (Arm& arm : arms)
    if (const std::string shorter = without_seed(arm.name); arm.runs.size() > 1 && !shorter.empty()) arm.name = shorter;
  return arms;
}

nlohmann::ordered_json config_of_arm(nlohmann::ordered_json config) {
  config.erase("seed");
  config.erase("threads");
  return config;
}

}  // namespace preceptor
