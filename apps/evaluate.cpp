// preceptor-evaluate: the metrics of a checkpoint on a split of a data set.
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "apps/support/command_line.h"
#include "apps/support/run_app.h"
#include "apps/training/card_and_data.h"
#include "apps/training/prediction.h"
#include "apps/training/results.h"
#include "engine/check.h"

namespace preceptor {
namespace {

struct EvaluateOptions {
  std::string checkpoint, data, split = "test", device = "cpu";
  int batch = evaluation_batch, threads = 0, bootstrap = 1000;
  std::uint64_t seed = 0;
  bool json = false;
};

bool parse(EvaluateOptions& options, int argc, char** argv) {
  CLI::App app("Computes AUC, accuracy and a bootstrap interval of a checkpoint on a split of a data set.",
               "preceptor-evaluate");
  app.footer(
      "Example:\n"
      "  preceptor-evaluate --checkpoint runs/student/best.safetensors --data 'phantom:chest?site=b' --json\n\n"
      "--json prints one object: n, auc_macro, auc_low, auc_high, auc (by label), accuracy, undefined, loss.");
  app.add_option("--checkpoint", options.checkpoint, "best.safetensors or last.safetensors of a run")
      ->type_name("FILE")
      ->required();
  app.add_option("--data", options.data, "Images and labels, as for preceptor-train")
      ->type_name("FORMAT:PATH")
      ->required();
  app.add_option("--split", options.split, "test, val or train")
      ->type_name("NAME")
      ->check(CLI::IsMember({"test", "val", "train"}))
      ->capture_default_str();
  app.add_flag("--json", options.json, "Print one JSON object instead of a table");
  const auto number = [&](const char* flag, auto& value, const char* text, int low, int high) {
    app.add_option(flag, value, text)->type_name("COUNT")->check(CLI::Range(low, high))->capture_default_str();
  };
  number("--batch", options.batch, "Images at a time", 1, 1 << 16);
  number("--bootstrap", options.bootstrap, "Resamplings behind the interval; 0: none", 0, 1'000'000);
  app.add_option("--seed", options.seed, "Of the resamplings")->type_name("NUMBER")->capture_default_str();
  add_device_flags(app, options.device, options.threads);
  add_config_flag(app);
  if (!parse_command_line(app, argc, argv)) return false;
  return true;
}

void print_table(const EvaluateOptions& options, const LoadedModel& model, const Evaluation& evaluation, double loss) {
  std::printf("checkpoint  %s (%s, epoch %d)\n", options.checkpoint.c_str(), model.card.network.name.c_str(),
              model.card.epoch);
  std::printf("data        %s, %s: %d images\n", options.data.c_str(), options.split.c_str(), evaluation.count);
  std::printf("AUC         %.4f  (95 %% interval %.4f to %.4f)\n", evaluation.auc_macro, evaluation.auc_low,
              evaluation.auc_high);
  for (std::size_t i = 0; i < evaluation.auc.size(); ++i)
    if (evaluation.auc[i])
      std::printf("  %-20s  %.4f\n", evaluation.auc_names[i].c_str(), *evaluation.auc[i]);
    else
      std::printf("  %-20s  undefined: this split has one class only\n", evaluation.auc_names[i].c_str());
  std::printf("accuracy    %.4f\nloss        %.4f\n", evaluation.accuracy, loss);
}

int run_evaluate(int argc, char** argv) {
  EvaluateOptions options;
  if (!parse(options, argc, argv)) return 0;
  const CardCheckpoint checkpoint = load_card_checkpoint(options.checkpoint);
  const auto context = std::make_unique<Context>(kernels::open_device(options.device, options.threads), options.seed);
  const LoadedModel model = load_model(*context, checkpoint);
  const Dataset data = open_dataset(options.data);
  require_fits(checkpoint, data, true);
  const Split& split = options.split == "test" ? data.test : options.split == "val" ? data.val : data.train;
  require_data(split.count > 0, options.data, ": has no ", options.split, " images");
  if (data.height != model.card.height || data.width != model.card.width)
    std::fprintf(stderr, "the network was trained on images of %dx%d pixels, these have %dx%d\n", model.card.height,
                 model.card.width, data.height, data.width);

  Predictor predictor(*context, *model.network, model.card, data, options.batch);
  const Predictions predictions = predictor.predict(split);
  const Evaluation evaluation = evaluate_scores(data.task, data.outputs, data.label_names, predictions.probabilities,
                                                split.labels, options.bootstrap, options.seed);
  if (!options.json) {
    print_table(options, model, evaluation, predictions.loss);
    return 0;
  }
  nlohmann::ordered_json json = evaluation_json(evaluation);
  json["loss"] = predictions.loss;
  json["split"] = options.split;
  json["data"] = options.data;
  json["checkpoint"] = options.checkpoint;
  std::cout << json.dump(1) << '\n' << std::flush;
  if (!std::cout) fail(ErrorKind::io, "stdout cannot be written");
  return 0;
}

}  // namespace
}  // namespace preceptor

int main(int argc, char** argv) { return preceptor::run_app(argc, argv, preceptor::run_evaluate); }
