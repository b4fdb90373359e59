// One training run, from options to a run directory: the loop behind preceptor-train, preceptor-distill and the
// studies.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/training/options/training_options.h"
#include "data/dataset.h"
#include "data/metrics/metrics.h"

namespace preceptor {

// One of the numbers that a run with methods has beside the columns of every run.
struct Meter {
  std::string name;  // "gradient_share/kd": of its column, and in TensorBoard
  double value = 0;  // NaN: not measured in this epoch
};

struct EpochRow {
  int epoch = 0;  // from 1
  double learning_rate = 0;
  double train_loss = 0;     // total, mean over the epoch's images
  double label_loss = 0;     // of the labels alone, so that arms are comparable
  double transfer_loss = 0;  // sum of the transfer terms; 0 without a teacher
  double train_auc = 0;      // of the training probabilities seen during the epoch
  double val_loss = 0;       // labels alone
  double val_auc = 0, val_accuracy = 0;
  double images_per_second = 0;  // of the training part
  double seconds = 0;            // training and validation
  std::vector<Meter> meters;     // the same names in every epoch
};

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
