// A network that learns, with everything that learns or moves beside it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "apps/training/run.h"
#include "apps/training/step/student_step.h"
#include "apps/training/training_data.h"
#include "models/weights.h"

namespace preceptor {

// The weights that a student starts from. Both empty: random ones.
struct StudentStart {
  std::optional<CardCheckpoint> checkpoint;  // of the run's last epoch
  struct Weights {
    NamedWeights named;
    std::optional<ModelCard> card;             // if the file is a checkpoint of ours
    std::optional<NetworkOptions> recognized;  // else the registered network that its tensors look like, if any
  };
  std::optional<Weights> init;  // of --init, unless there is a checkpoint
};
// Errors: those of read_checkpoint, load_weights and card_from.
StudentStart read_start(Run& run, const Run* first);

struct Student {
  ModelCard card;
  std::unique_ptr<Network> network;
  std::unique_ptr<Network> averaged;       // moving average of the network; null: none is kept
  std::unique_ptr<MovingAverage> average;  // updates it
  bool validates_average = false;
  std::vector<StepMethod> methods;
  std::optional<Optimizer> optimizer;

  // The network that is validated, kept as best and tested.
  Network& validated() const { return validates_average ? *averaged : *network; }
};

// A seed of its own for every peer; the batches and augmentations of all peers come from one.
std::uint64_t initial_seed(const TrainingOptions& options);

// Blocks that do not learn after so many epochs.
int frozen_blocks(const TrainingOptions& options, int epochs_done);

// Makes the network and its card, and completes the options of the run that depend on them. first: the first of several
// peers, whose normalization is shared; else null. Errors: usage, data.
Student make_student(Context& context, const TrainingData& data, Run& run, StudentStart start, const Student* first);

// Adds a moving average of the network, if it is validated or teaches.
void keep_average(Student& student, Context& context, const TrainingOptions& options);

// Adds the optimizer of the network and of what methods learn; a resumed run gets back the state of its last epoch.
void prepare_learning(Student& student, Run& run);

// Everything that learns or moves beside the network, for the state of a run.
StateDict learning_state(const Student& student);

}  // namespace preceptor
