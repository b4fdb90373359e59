// Training, from options to a run directory: the library that preceptor-train, preceptor-distill and the studies call.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "apps/runs/progress.h"
#include "apps/training/options/training_options.h"
#include "data/dataset.h"
#include "data/metrics/metrics.h"

namespace preceptor {

struct TrainingResult {
  std::string directory;
  int best_epoch = 0;  // by validation AUC, the earliest of equals
  std::vector<EpochRow> epochs;
  Evaluation test;     // of the best epoch
  double seconds = 0;  // training and validation, all sessions
};

// Trains and leaves in options.out: config.toml, split.csv (the images of every split by id), bad_images.csv (images
// that on_bad_image skip left out, if any), metrics.csv, events.jsonl, TensorBoard's events, best.safetensors,
// last.safetensors, last.state.safetensors (moments and counters) and, when finished, result.json and
// predictions.{val,test}.csv of the best epoch, whose checkpoint then holds the operating point. Refuses a directory
// that holds another run unless `resume`; then it continues after the last committed epoch, bit for bit as if never
// interrupted (a finished run is only tested again, a directory without a run starts one). report: may be empty.
// dataset: images that are in memory or open already; options.data is then only a name, by default the source of the
// data. Errors: usage (options that contradict each other), data, missing_input, io.
TrainingResult train(const TrainingOptions& options, bool resume = false, const ProgressReport& report = {},
                     const Dataset* dataset = nullptr);

// Trains runs that learn together, in steps of all at once, on the data and batches of the first. accepted: called when
// nothing can be refused any more, before the first run writes; may be empty.
std::vector<TrainingResult> train_all(std::vector<TrainingOptions> options, bool resume, const ProgressReport& report,
                                      const Dataset* dataset = nullptr, const std::function<void()>& accepted = {});

}  // namespace preceptor
