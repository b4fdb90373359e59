// Reading of what runs wrote, and the tests between arms.
#include "apps/evaluation/arms.h"

#include <filesystem>
#include <map>

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

std::string RunOutcome::seed() const {
  const auto found = config.find("seed");
  return found == config.end() ? "" : found->dump();
}

RunOutcome read_outcome(const std::string& directory) {
  const RunDirectory written(directory);
  require_there(written.config_path(), directory, "this is no run directory:");
  require_there(written.result_path(), directory, "the run has not finished: preceptor-train --resume");
  RunOutcome run;
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

Json config_of_arm(Json config) {
  config.erase("seed");
  config.erase("threads");
  return config;
}

std::optional<Difference> compare_by_seed(const ArmScore& arm, const ArmScore& base) {
  const auto by_seed = [](const ArmScore& score) {
    std::map<std::string, double> aucs;
    for (std::size_t i = 0; i < score.aucs.size(); ++i)
      if (!score.seeds[i].empty()) aucs.emplace(score.seeds[i], score.aucs[i]);
    return aucs;
  };
  const std::map<std::string, double> ours = by_seed(arm), theirs = by_seed(base);
  if (ours.size() < 2 || ours.size() != arm.aucs.size() || ours.size() != base.aucs.size()) return std::nullopt;
  std::vector<double> values, base_values;
  for (const auto& [seed, auc] : ours) {
    const auto found = theirs.find(seed);
    if (found == theirs.end()) return std::nullopt;
    values.push_back(auc);
    base_values.push_back(found->second);
  }
  return compare_paired(values, base_values);
}

}  // namespace preceptor
