// The options of every generation.
#include "apps/training/generations.h"

#include <filesystem>

#include "apps/runs/run_directory.h"
#include "apps/training/options/run_options.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

RunDirectory directory_of(const TrainingOptions& chain, int generation) {
  return RunDirectory(chain.out + "/generation" + std::to_string(generation));
}

TrainingOptions options_of(const TrainingOptions& chain, int generation) {
  TrainingOptions options = chain;
  options.generations = 1;
  options.out = directory_of(chain, generation).path();
  options.seed = chain.seed + static_cast<std::uint64_t>(generation - 1);
  if (generation > 1) {
    options.teachers = {CheckpointSpec{directory_of(chain, generation - 1).best_path()}};
    options.teacher_weights = "equal";
    return options;
  }
  if (!chain.teachers.empty()) return options;
  options.teacher_cache.clear();
  std::erase_if(options.methods, [](const MethodSettings& method) { return kind_of(method).needs_teacher; });
  return options;
}

void check_chain(const TrainingOptions& chain) {
  bool taught = false;
  for (const MethodSettings& method : chain.methods) {
    const auto other = method.values.find("teacher_tap");
    require(other == method.values.end() || other->second == "same", "--generations: --method ", method.name,
            ": teacher_tap does not hold for the later teachers, which are networks as the student");
    taught |= kind_of(method).needs_teacher;
  }
  require(taught, "--generations needs a --method with a teacher");
}

}  // namespace

TrainingResult train_generations(const TrainingOptions& options, bool resume, const ProgressReport& report) {
  check_chain(options);
  const RunDirectory chain(options.out);
  require(resume || !chain.holds_run(), options.out,
          ": holds a run already; continue it with --resume or choose another --out");
  TrainingResult result;
  for (int generation = 1; generation <= options.generations; ++generation) {
    const RunDirectory directory = directory_of(options, generation);
    // After its last epoch a run is only tested again; for all but the last generation that is not worth the time.
    if (generation < options.generations && std::filesystem::exists(directory.result_path())) continue;
    const auto accepted = [&] {
      if (!chain.holds_run()) chain.create_above(config_text(options));
    };
    result = train_all({options_of(options, generation)}, directory.holds_run(), report, nullptr, accepted).front();
  }
  return result;
}

}  // namespace preceptor
