// Mutual learning: networks that learn at the same time, each from the labels and from what the others say (Zhang et
// al. 2018).
#pragma once

#include "apps/training/training.h"

namespace preceptor {

// Trains options.peers in steps of all at once, on the same batches. Each is a run of its own, with all its files, in
// `options.out`/peer1, peer2, ...: peer k starts from the weights of the options' seed plus k - 1; order of images,
// augmentation and learning rate are common to all. --schedule plateau goes by the mean of their validation losses. An
// epoch is committed for all or for none; with `resume` they go on behind it. Returns what each gave, in their order.
// Errors: as train().
std::vector<TrainingResult> train_peers(const TrainingOptions& options, bool resume, const ProgressReport& report);

}  // namespace preceptor
