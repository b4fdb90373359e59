// One training run, from options to a run directory: the loop behind preceptor-train, preceptor-distill and the
// studies.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "apps/runs/epoch.h"
#include "data/dataset.h"
#include "data/metrics/metrics.h"
#include "engine/optimizer.h"
#include "engine/schedule.h"

namespace preceptor {

inline constexpr int freeze_all = -1;
inline constexpr int device_images_auto = -1;

// Everything that decides a run's bits. Written to config.toml of the run directory and read back by --resume.
struct TrainingOptions {
  std::string data;                // FORMAT:PATH
  std::string model = "resnet18";  // empty in the options of several peers
  std::string stem = "auto";       // "imagenet", "small", "auto": small for images of at most 64 pixels
  std::string init;                // weights to start from; a checkpoint's head is kept only if its labels match
  bool ordinal = false;    // classes are grades: an output for each but the last, whether the image's grade is above it
  bool new_head = false;   // the last layer starts anew, whatever init says of it
  int freeze = 0;          // first blocks that do not learn (needs init); freeze_all: all but the head
  int unfreeze = 0;        // every so many epochs the last frozen block begins to learn; 0: never
  double layer_decay = 1;  // learning rate of a block, by that of the next
  double l2_sp = 0;        // weight decay towards the start; weight_decay is then the head's alone (needs init)
  bool zero_last_gamma = false;
  double dropout = 0;  // of dense networks
  // Checkpoints; or one "predictions:FILE", probabilities that any program wrote; or "ema", the moving average of the
  // student; empty: no transfer from a network.
  std::vector<std::string> teachers;
  std::string teacher_missing = "stop";   // predictions: an image without a row; "skip": it learns from labels alone
  std::string teacher_weights = "equal";  // "auc", or numbers for each
  std::string teacher_cache;  // folder of the teachers' answers; "auto"; empty: they are asked in every step
  std::string teacher_cache_type = "float";  // or "bfloat16"
  std::vector<std::string> methods;          // "kd:temperature=4,weight=0.9"
  int meter_every = 200;                     // steps from one that measures gradient shares to the next; 0: no meters
  double balance = 0;                        // share of the gradient norms that methods are held at; 0: off
  double ema = 0;       // decay of the moving average that is evaluated and kept as best; 0: the student itself
  int generations = 1;  // above 1: a chain, see train_generations()
  // Networks that learn at the same time, each also from what the others say: see train_peers(). Empty: one that
  // learns alone.
  std::vector<std::string> peers;
  int peer = 0;  // which of them this run is, from 1; 0: all of them, or none
  int epochs = 10;
  int batch = 64;
  std::string optimizer = "adam";  // sgd, adam, adamw
  double learning_rate = 1e-3, momentum = 0.9, weight_decay = 0;
  bool nesterov = false;
  std::string schedule = "constant";  // constant, step, cosine, plateau
  std::vector<int> milestones;
  double factor = 0.1;
  int patience = 10, warmup = 0;
  double clip_value = 0, clip_norm = 0;
  std::string augment;                // "flip,shift=4" (augmentation.h); empty: nothing is changed
  std::string normalise = "auto";     // "data", "imagenet", "auto": that of init, else the data's
  std::string sampling = "shuffle";   // shuffle, balanced, square-root (data/batches/sampling.h)
  std::string on_bad_image = "stop";  // stop; skip: every image is read once before the first step
  double bad_image_limit = 0.01;      // skip: the fraction of images that may be left out
  std::uint64_t seed = 0;
  std::string device = "cpu";
  std::string precision = "float";
  std::string graph = "on";     // off: every step is launched operation by operation
  bool teacher_stream = false;  // teachers compute beside the student
  // MiB that the training images may take of the device's memory, to stay there. device_images_auto: a quarter of a
  // card's, and none elsewhere.
  int device_images = device_images_auto;
  int threads = 0;  // 0: all
  int bootstrap = 1000;
  bool tensorboard = true;  // write TensorBoard's event file beside the other logs
  std::string out;          // run directory
};

struct TrainingResult {
  std::string directory;
  int best_epoch = 0;  // by validation AUC, the earliest of equals
  std::vector<EpochRow> epochs;
  Evaluation test;     // of the best epoch
  double seconds = 0;  // training and validation, of all sessions
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
