// Opening, resuming and starting of runs.
#include "apps/training/run.h"

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/formats/listing.h"
#include "engine/files/check.h"
#include "engine/files/file.h"

namespace preceptor {

void Run::note(const std::string& text) {
  log.note(text);
  if (!report) return;
  Progress progress;
  progress.label = options.out;
  progress.note = text;
  report(progress);
}

Note Run::first_notes() {
  if (state.epoch > 0) return [](const std::string&) {};
  return [this](const std::string& text) { note(text); };
}

void require_free(const std::string& directory, bool resume) {
  require(resume || !RunDirectory(directory).holds_run(), directory,
          ": holds a run already; continue it with --resume or choose another --out");
}

Run open_run(const TrainingOptions& options, bool resume, const ProgressReport& report) {
  require_free(options.out, resume);
  Run run{.options = options,
          .report = report,
          .directory = RunDirectory(options.out),
          .log = RunLog(options.out, options.tensorboard)};
  run.resumed = run.directory.holds_run();
  return run;
}

std::optional<CardCheckpoint> read_checkpoint(Run& run, const Run* first) {
  if (!run.resumed) return std::nullopt;
  std::optional<RunDirectory::Committed> committed =
      run.directory.last(first != nullptr ? std::optional(first->state.epoch) : std::nullopt);
  const std::string measured = run.directory.tuning_path();
  if (std::filesystem::exists(measured)) tuning().read(read_file(measured), measured);
  if (!committed) return std::nullopt;
  run.state = std::move(committed->state);
  run.rows = std::move(committed->rows);
  return std::move(committed->weights);
}

// A later version may have more options, whose defaults change nothing: only the lines of the file must hold.
void require_same_config(const Run& run) {
  const std::string path = run.directory.config_path();
  std::istringstream wanted(config_text(run.options)), written(read_file(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(wanted, line);) lines.push_back(line);
  for (std::string line; std::getline(written, line);)
    require(line.empty() || line.starts_with('#') || std::find(lines.begin(), lines.end(), line) != lines.end(), path,
            ": the run there has other options: ", line);
}

void start_run(Run& run, const TrainingData& data) {
  if (!run.resumed)
    run.directory.create(config_text(run.options), split_table(data.images),
                         data.bad_images.empty() ? "" : bad_images_table(data.bad_images));
  run.log.open(options_json(run.options), training_sheet(data.images), run.rows);
}

}  // namespace preceptor
