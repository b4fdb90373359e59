// A run on disk: its options, directory and log, and the epoch it has reached.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/runs/run_directory.h"
#include "apps/runs/run_log.h"
#include "apps/training/training.h"
#include "apps/training/training_data.h"

namespace preceptor {

struct Run {
  TrainingOptions options;
  ProgressReport report;

  RunDirectory directory;
  RunLog log;
  bool resumed = false;  // the directory holds the run, from an earlier session

  RunState state = {};  // of the last committed epoch, if any
  std::vector<EpochRow> rows = {};

  // Reports and logs a remark for the user.
  void note(const std::string& text);
  // note() for what is said once, before the first epoch. Keeps a pointer to the run.
  Note first_notes();
};

// Refuses a directory that holds another run, unless `resume`. Errors: usage.
void require_free(const std::string& directory, bool resume);
// The same, and opens it.
Run open_run(const TrainingOptions& options, bool resume, const ProgressReport& report);

// Reads the last committed epoch, if any: state and rows into the run, weights as the result. first: for a peer, the
// first of them, whose epoch counts; else null. Errors: as RunDirectory::last.
std::optional<CardCheckpoint> read_checkpoint(Run& run, const Run* first);

// Errors: usage, if config.toml has another value for an option.
void require_same_config(const Run& run);

// Creates the run directory, or reopens the log of an existing one.
void start_run(Run& run, const TrainingData& data);

}  // namespace preceptor
