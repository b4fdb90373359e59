// The test of a run that has trained.
#include <sys/resource.h>
#include <sys/utsname.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "apps/inference/operating_point.h"
#include "apps/runs/results.h"
#include "apps/training/setup.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

std::size_t peak_memory_bytes() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::size_t>(usage.ru_maxrss) * 1024;
}

std::string processor_name() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) {
      const std::size_t begin = line.find(": ");
      if (begin != std::string::npos) return line.substr(begin + 2);
    }
  return "unknown";
}

// The machine and the program of a run, for result.json and reports; "card" is empty on the cpu.
nlohmann::ordered_json environment_json(const Context& context) {
  utsname system{};
  ::uname(&system);
#if defined(__clang__)
  const std::string compiler = "clang " __clang_version__;
#else
  const std::string compiler = "g++ " __VERSION__;
#endif
  return {{"version", "preceptor " PRECEPTOR_VERSION},
          {"compiler", compiler},
          {"processor", processor_name()},
          {"system", message(system.sysname, " ", system.release, ", ", system.machine)},
          {"device", context.device_name()},
          {"card", context.card_name()},
          {"threads", context.device().threads}};
}

struct TestedSplit {
  PredictionTable table;
  Evaluation evaluation;
  double loss;
};

// Writes the predictions too.
TestedSplit test_split(const Run& run, const Predictions& predictions, const Dataset& data, const Split& split,
                       const std::string& name) {
  PredictionTable table = prediction_table(data, split, name, predictions);
  write_predictions(run.directory.predictions_path(name), table);
  const Evaluation evaluation = evaluate(table, run.options.bootstrap, run.options.seed);
  return {std::move(table), evaluation, predictions.loss};
}

nlohmann::ordered_json split_json(const TestedSplit& tested) {
  nlohmann::ordered_json json = evaluation_json(tested.evaluation);
  json["loss"] = tested.loss;
  return json;
}

}  // namespace

TrainingResult test_run(Run& run, const Student& student, Context& context, const Dataset& data) {
  TrainingResult result{
      .directory = run.options.out, .best_epoch = run.state.best_epoch, .epochs = run.rows, .test = {}};
  for (const EpochRow& row : run.rows) result.seconds += row.seconds;
  CardCheckpoint best = load_card_checkpoint(run.directory.best_path());
  load_parameters(*student.network, best);
  student.network->fold();
  const auto test = [&](const Split& split, const std::string& name) {
    return test_split(run, predict_split(context, *student.network, best.card, data, split), data, split, name);
  };
  const TestedSplit val = test(data.val, "val"), tested = test(data.test, "test");
  result.test = tested.evaluation;
  // Only now the checkpoint learns how its outputs are to be read; testing again writes the same bytes.
  best.card.operating_point = fit_operating_point(val.table, ThresholdRule{});
  save_safetensors(run.directory.best_path(), best.tensors, to_metadata(best.card));

  double seconds_per_image = 0;
  for (const EpochRow& row : run.rows)
    seconds_per_image += 1 / row.images_per_second / static_cast<double>(run.rows.size());
  nlohmann::ordered_json json;
  json["format"] = "preceptor-result-1";
  json["config"] = options_json(run.options);
  json["best_epoch"] = result.best_epoch;
  json["val"] = split_json(val);
  json["test"] = split_json(tested);
  json["operating_point"] = nlohmann::ordered_json::parse(to_text(*best.card.operating_point));
  json["train_images"] = data.train.count;
  json["environment"] = environment_json(context);
  json["seconds"] = result.seconds;
  json["images_per_second"] = 1 / seconds_per_image;
  json["peak_memory_bytes"] = peak_memory_bytes();
  json["device_memory_bytes"] = context.pool(Lifetime::persistent).peak() + context.pool(Lifetime::step).peak();
  write_file_atomically(run.directory.result_path(), json.dump(1) + "\n");
  json.erase("config");  // the log starts with it
  run.log.result(json);
  return result;
}

}  // namespace preceptor
