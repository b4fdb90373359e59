// Mutual learning: networks that learn together, each from the labels and from the others' outputs (Zhang et al. 2018).
#pragma once

#include "apps/training/training.h"

namespace preceptor {

// Trains options.peers in steps of all at once, on the same batches. Each is a run of its own, with all its files, in
// `options.out`/peer1, peer2, ...: peer k starts from the weights of the options' seed plus k - 1; order of images,
// augmentation and learning rate are common to all. --schedule plateau goes by the mean of their validation losses. An
// epoch is committed for all or for none; `resume` continues after it. Returns their results in
// order. Errors: as train().
std::vector<TrainingResult> train_peers(const TrainingOptions& options, bool resume, const ProgressReport& report);

}  // namespace preceptor
