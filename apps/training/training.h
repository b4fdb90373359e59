// One training run, from options to a run directory: the loop behind preceptor-train, preceptor-distill and the
// studies.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/runs/epoch.h"
#include "apps/training/options/training_options.h"
#include "data/dataset.h"
#include "data/metrics/metrics.h"

namespace preceptor {

struct TrainingResult {
  std::string directory;
  int best_epoch = 0;  // by validation AUC, the earliest of equals
  std::vector<EpochRow> epochs;
  Evaluation test;     // of the best epoch
  double seconds = 0;  // training and validation, of all sittings
};

// Called after every epoch and, with `epoch_done` false, every second or so for a progress line.
struct Progress {
  std::string label;  // the run directory
  std::string note;   // a remark for the user, for example that the head starts anew; then nothing else is set
  std::string work;   // what goes on ahead of the epochs, for example "teacher cache"; then `fraction` is of that
  int epoch = 0, epochs = 0;
  double fraction = 0;  // of the epoch
  double images_per_second = 0;
  double seconds_left = 0;
  std::optional<EpochRow> row;  // set at the end of an epoch
};
using ProgressReport = std::function<void(const Progress&)>;

// Trains and leaves in options.out: config.toml, split.csv (the images of every split by id), bad_images.csv (what
// on_bad_image skip left out, if anything), metrics.csv, events.jsonl, TensorBoard's events, best.safetensors,
// last.safetensors, last.state.safetensors (moments and counters) and, when finished, result.json and
// predictions.{val,test}.csv of the best epoch, whose checkpoint then holds the operating point. Refuses a directory
// that holds another run unless `resume`; then it continues behind the last finished epoch, bit for bit as if never
// interrupted (a finished run is only tested again, a directory without a run starts one). `dataset` may be given to
// avoid opening options.data again. Errors: usage (options that contradict each other), data, missing_input, io.
TrainingResult train(const TrainingOptions& options, bool resume, const ProgressReport& report,
                     const Dataset* dataset = nullptr);

}  // namespace preceptor
