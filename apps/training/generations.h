// Born-again chains: networks of one kind, of which each is the next one's teacher (Furlanello et al. 2018).
#pragma once

#include "apps/training/training.h"

namespace preceptor {

// Runs options.generations trainings in sequence, in `options.out`/generation1, generation2, ... Each is a run of its
// own, with all its files; its seed is that of the options plus its number less 1, so that it starts elsewhere. The
// first learns from the teachers of the options, or without any from the labels alone; every further one from the best
// checkpoint of its predecessor. With `resume` the chain continues where it was, also within a generation. Returns the
// result of the last. Errors: as train().
TrainingResult train_generations(const TrainingOptions& options, bool resume, const ProgressReport& report);

}  // namespace preceptor
