// Reading of run directories.
#include "apps/runs/run_record.h"

#include <openssl/evp.h>

#include <array>
#include <filesystem>

#include "apps/runs/results.h"
#include "apps/runs/run_directory.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

using Json = nlohmann::ordered_json;

void require_there(const std::string& path, const std::string& directory, const char* advice) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    fail(ErrorKind::missing_input, path, ": not there; ", advice, " ", directory);
}

Json read_result(const std::string& path) {
  Json result = Json::parse(read_file(path), nullptr, false);
  const auto holds = [&](const char* name, bool (Json::*is)() const noexcept) {
    const auto found = result.find(name);
    return found != result.end() && ((*found).*is)();
  };
  require_data(result.is_object() && result.value("format", "") == "preceptor-result-1" &&
                   holds("config", &Json::is_object) && holds("best_epoch", &Json::is_number_integer) &&
                   holds("seconds", &Json::is_number),
               path, ": not the result of a run");
  return result;
}

}  // namespace

std::string RunRecord::seed() const {
  const auto found = config.find("seed");
  return found == config.end() ? "" : found->dump();
}

RunRecord read_record(const std::string& directory) {
  const RunDirectory written(directory);
  require_there(written.config_path(), directory, "this is no run directory:");
  require_there(written.result_path(), directory, "the run has not finished: preceptor-train --resume");
  RunRecord run;
  run.result = read_result(written.result_path());
  run.config = run.result["config"];
  run.result.erase("config");
  const std::string metrics = written.metrics_path();
  run.epochs = read_metrics(metrics);
  const auto best = run.result["best_epoch"].get<std::int64_t>();
  require_data(best >= 1 && best <= static_cast<std::int64_t>(run.epochs.size()), written.result_path(),
               ": best_epoch is ", best, ", but ", metrics, " has ", run.epochs.size(), " epochs");
  run.best_epoch = static_cast<int>(best);
  run.seconds = run.result["seconds"].get<double>();
  return run;
}

PredictionTable read_run_predictions(const std::string& directory, const std::string& split) {
  const std::string file = RunDirectory(directory).predictions_path(split);
  if (!std::filesystem::exists(file))
    fail(ErrorKind::missing_input, file, ": is not there; a run writes it when it finishes (preceptor-train --resume ",
         directory, ")");
  return read_predictions(file);
}

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

}  // namespace preceptor
