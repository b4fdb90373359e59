// Training, from options to a run directory: the library that preceptor-train, preceptor-distill and the studies call.
#pragma once

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

// Born-again chains: networks of one kind, of which each is the next one's teacher (Furlanello et al. 2018). Runs
// options.generations trainings in sequence, in `options.out`/generation1, generation2, ... Each is a run of its own,
// with all its files; its seed is that of the options plus its number less 1, so that it starts elsewhere. The first
// learns from the teachers of the options, or without any from the labels alone; every further one from the best
// checkpoint of its predecessor. With `resume` the chain continues where it was, also within a generation. Returns the
// result of the last. Errors: as train().
TrainingResult train_generations(const TrainingOptions& options, bool resume, const ProgressReport& report);

// Mutual learning: networks that learn together, each from the labels and from the others' outputs (Zhang et al. 2018).
// Trains options.peers in steps of all at once, on the same batches. Each is a run of its own, with all its files, in
// `options.out`/peer1, peer2, ...: peer k starts from the weights of the options' seed plus k - 1; order of images,
// augmentation and learning rate are common to all. --schedule plateau goes by the mean of their validation losses. An
// epoch is committed for all or for none; `resume` continues after it. Returns their results in order.
// Errors: as train().
std::vector<TrainingResult> train_peers(const TrainingOptions& options, bool resume, const ProgressReport& report);

}  // namespace preceptor
