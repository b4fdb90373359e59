// The files of a run, and how they stay consistent when the process is killed at any moment.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/runs/progress.h"
#include "engine/schedule.h"
#include "models/loaded_model.h"

namespace preceptor {

// The state of a run after an epoch, without the weights.
struct RunState {
  int epoch = 0;          // finished epochs
  std::int64_t step = 0;  // finished steps; with the seed it is the whole random state
  Schedule::State schedule;
  int best_epoch = 0;  // 0: none yet
  double best_val_auc = 0, best_val_loss = 0;
  double balanced = 0;  // the factor that --balance has come to; 0: none yet
  StateDict tensors;    // the optimizer's moments, and parameters of transfer methods
};

// Every file is written whole under a temporary name and renamed. An epoch is committed by one rename:
//   1. the run's log (run_log.h) with the new row, and best.safetensors if the epoch is the best so far
//   2. last.safetensors.next: the weights; last.state.safetensors.next: moments, counters and the epoch
//   3. last.state.safetensors.next becomes last.state.safetensors      <- the commit
//   4. last.safetensors.next becomes last.safetensors
// Killed before 3, the state names the epoch before: files of a later epoch and later rows are ignored, and the
// repeated epoch writes the same best.safetensors again, because it is computed from the same state. Killed between 3
// and 4, the next session finds the weights of the committed epoch under the name of step 2.
//
// Runs that learn together do all of 1 and 2, then the first commits for all of them: files that the others could not
// rename any more are renamed when they go on.
class RunDirectory {
 public:
  explicit RunDirectory(const std::string& path) : path_(path) {}

  std::string config_path() const { return path_ + "/config.toml"; }
  std::string best_path() const { return path_ + "/best.safetensors"; }
  std::string metrics_path() const { return path_ + "/metrics.csv"; }
  std::string result_path() const { return path_ + "/result.json"; }
  // Predictions of the best epoch, written when the run finishes; `split` is val or test.
  std::string predictions_path(const std::string& split) const { return path_ + "/predictions." + split + ".csv"; }
  std::string split_path() const { return path_ + "/split.csv"; }
  std::string bad_images_path() const { return path_ + "/bad_images.csv"; }
  // The way to compute each convolution and product that was measured to be the fastest; only if there are several.
  std::string tuning_path() const { return path_ + "/tuning.txt"; }
  const std::string& path() const { return path_; }

  bool holds_run() const;  // there is a config.toml

  // Makes the directory, split.csv, bad_images.csv unless it is empty, and last of all config.toml, which makes it a
  // run. Errors: io.
  void create(const std::string& config, const std::string& split, const std::string& bad_images) const;

  struct Committed {
    RunState state;
    CardCheckpoint weights;
    std::vector<EpochRow> rows;
  };
  // The last committed epoch; nothing when none is. of_first: for a run that learned beside others, the epoch that the
  // first of them committed (0: none). Errors: data or missing_input, for a directory that was tampered with.
  std::optional<Committed> last(std::optional<int> of_first = std::nullopt) const;

  // Writes all that commit() makes the run's last epoch. The log must hold it already. best: what becomes
  // best.safetensors; nullptr: the epoch is not the best.
  void prepare(const RunState& state, const ModelCard& card, const StateDict& weights, const StateDict* best) const;
  void commit() const;

 private:
  std::string last_path() const { return path_ + "/last.safetensors"; }
  std::string next_path() const { return path_ + "/last.safetensors.next"; }
  std::string state_path() const { return path_ + "/last.state.safetensors"; }
  std::string next_state_path() const { return path_ + "/last.state.safetensors.next"; }

  std::string path_;
};

}  // namespace preceptor
