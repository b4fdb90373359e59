// Reading of run directories, and their grouping by configuration.
#include "apps/report/run_record.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "apps/training/results.h"
#include "apps/training/run_directory.h"
#include "engine/check.h"
#include "engine/checkpoint.h"

namespace preceptor {
namespace {

using Json = nlohmann::ordered_json;
namespace files = std::filesystem;

void require_there(const std::string& path, const std::string& directory, const char* advice) {
  std::error_code ignored;
  if (!files::exists(path, ignored)) fail(ErrorKind::missing_input, path, ": not there; ", advice, " ", directory);
}

Json read_result(const std::string& path) {
  Json result = Json::parse(read_file(path), nullptr, false);
  const auto best = result.is_object() ? result.find("best_epoch") : result.end();
  require_data(result.is_object() && result.value("format", "") == "preceptor-result-1" && result.contains("config") &&
                   result["config"].is_object() && best != result.end() && best->is_number_integer(),
               path, ": not the result of a run");
  return result;
}

// "student-seed0" without the seed.
std::string without_seed(std::string name) {
  while (!name.empty() && name.back() >= '0' && name.back() <= '9') name.pop_back();
  for (const char* ending : {"-seed", "_seed", "seed", "-", "_"})
    if (name.size() > std::string(ending).size() && name.ends_with(ending)) {
      name.resize(name.size() - std::string(ending).size());
      break;
    }
  return name;
}

Json without_seed(Json config) {
  config.erase("seed");
  config.erase("threads");
  return config;
}

}  // namespace

std::string sha256(const std::string& bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1)
    fail(ErrorKind::internal, "sha256 failed");
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    constexpr const char* digits = "0123456789abcdef";
    text += {digits[digest[i] >> 4], digits[digest[i] & 15]};
  }
  return text;
}

RunRecord read_run(const std::string& directory) {
  RunRecord run;
  run.path = directory;
  files::path path = files::path(directory).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  run.name = path.filename().string();
  const RunDirectory written(directory);
  require_there(written.config_path(), directory, "this is no run directory:");
  require_there(written.result_path(), directory, "the run has not finished: preceptor-train --resume");
  run.result = read_result(written.result_path());
  run.config = run.result["config"];
  run.result.erase("config");

  const std::string metrics = written.metrics_path();
  run.epochs = read_metrics(metrics);
  const auto best = run.result["best_epoch"].get<std::int64_t>();
  require_data(best >= 1 && best <= static_cast<std::int64_t>(run.epochs.size()), written.result_path(),
               ": best_epoch is ", best, ", but ", metrics, " has ", run.epochs.size(), " epochs");
  run.best_epoch = static_cast<int>(best);

  const CardCheckpoint checkpoint = load_card_checkpoint(written.best_path());
  run.card = checkpoint.card;
  for (const auto& [name, tensor] : checkpoint.tensors)
    if (!name.ends_with(".running_mean") && !name.ends_with(".running_var")) run.parameters += tensor.values.size();
  const std::string bytes = read_file(written.best_path());
  run.checkpoint_digest = sha256(bytes);
  run.checkpoint_bytes = bytes.size();

  for (const auto& [name, table] : {std::pair{"val", &run.validation}, std::pair{"test", &run.test}}) {
    const std::string predictions = written.predictions_path(name);
    require_there(predictions, directory, "a run of an earlier version; this writes it: preceptor-train --resume");
    *table = read_predictions(predictions);
    if (run.card.task == Task::ordinal) table->task = Task::ordinal;
    require_data(table->label_names == run.card.labels && table->rows() > 0, predictions,
                 ": has other labels than the run's checkpoint, or no rows");
  }
  return run;
}

std::vector<RunArm> arms_of(std::vector<RunRecord> runs) {
  std::vector<RunArm> arms;
  for (RunRecord& run : runs) {
    const auto same = std::find_if(arms.begin(), arms.end(), [&](const RunArm& arm) {
      return without_seed(arm.runs.front().config) == without_seed(run.config);
    });
    if (same != arms.end())
      same->runs.push_back(std::move(run));
    else
      arms.push_back({run.name, "", {std::move(run)}});
  }
  for (RunArm& arm : arms) {
    const std::string name = without_seed(arm.name);
    if (arm.runs.size() > 1 && !name.empty()) arm.name = name;
  }
  return arms;
}

}  // namespace preceptor
