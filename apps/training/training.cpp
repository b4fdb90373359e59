// From options to results, of one run, of a chain of runs or of peers.
#include "apps/training/training.h"

#include <filesystem>

#include "apps/training/setup.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {
namespace {

// Trains runs that learn together, on the data and batches of the first. above: options of the directory above several
// runs, which gets its config.toml when nothing can be refused any more; may be null.
std::vector<TrainingResult> train_all(std::vector<TrainingOptions> all, bool resume, const ProgressReport& report,
                                      const Dataset* given, const TrainingOptions* above) {
  for (TrainingOptions& options : all) {
    if (given != nullptr && options.data.empty()) options.data = given->source;
    check_options(options);
  }
  const TrainingOptions& common = all.front();
  std::unique_ptr<Context> context = open_context(common.device, common.threads, common.seed, common.precision);
  std::vector<Run> runs;
  for (TrainingOptions& options : all) {
    options.threads = context->device().threads;
    runs.push_back(open_run(options, resume, report));
  }
  TrainingSetup setup = make_setup(std::move(context), runs, given);
  for (const Run& run : runs)
    if (run.resumed) require_same_config(run);
  if (above != nullptr && !RunDirectory(above->out).holds_run()) {
    make_folder(above->out);
    write_file_atomically(RunDirectory(above->out).config_path(), config_text(*above));
  }
  for (Run& run : runs) start_run(run, *setup.data);
  train_together(runs, setup);
  std::vector<TrainingResult> results;
  for (std::size_t k = 0; k < runs.size(); ++k)
    results.push_back(test_run(runs[k], setup.students[k], *setup.context, setup.data->images));
  return results;
}

RunDirectory directory_of(const TrainingOptions& chain, int generation) {
  return RunDirectory(chain.out + "/generation" + std::to_string(generation));
}

TrainingOptions generation_options(const TrainingOptions& chain, int generation) {
  TrainingOptions options = chain;
  options.generations = 1;
  options.out = directory_of(chain, generation).path();
  options.seed = chain.seed + static_cast<std::uint64_t>(generation - 1);
  if (generation > 1) {
    options.teachers = {CheckpointSpec{directory_of(chain, generation - 1).best_path()}};
    options.teacher_weights = "equal";
  } else if (chain.teachers.empty()) {
    options.teacher_cache.clear();
    std::erase_if(options.methods, [](const MethodSettings& method) { return kind_of(method).needs_teacher; });
  }
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

TrainingOptions peer_options(const TrainingOptions& all, int peer) {
  TrainingOptions options = all;
  options.peer = peer;
  options.model = all.peers[static_cast<std::size_t>(peer - 1)];
  options.out = all.out + "/peer" + std::to_string(peer);
  return options;
}

}  // namespace

TrainingResult train(const TrainingOptions& options, bool resume, const ProgressReport& report,
                     const Dataset* dataset) {
  return train_all({options}, resume, report, dataset, nullptr).front();
}

TrainingResult train_generations(const TrainingOptions& options, bool resume, const ProgressReport& report) {
  check_chain(options);
  require_free(options.out, resume);
  TrainingResult result;
  for (int generation = 1; generation <= options.generations; ++generation) {
    const RunDirectory directory = directory_of(options, generation);
    // After its last epoch a run is only tested again; for all but the last generation that is not worth the time.
    if (generation < options.generations && std::filesystem::exists(directory.result_path())) continue;
    result =
        train_all({generation_options(options, generation)}, directory.holds_run(), report, nullptr, &options).front();
  }
  return result;
}

std::vector<TrainingResult> train_peers(const TrainingOptions& options, bool resume, const ProgressReport& report) {
  require_free(options.out, resume);
  std::vector<TrainingOptions> peers;
  for (int peer = 1; peer <= static_cast<int>(options.peers.size()); ++peer)
    peers.push_back(peer_options(options, peer));
  return train_all(peers, resume, report, nullptr, &options);
}

}  // namespace preceptor
