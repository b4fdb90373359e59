// The images of a run: opened, checked, without those that cannot be read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/runs/progress.h"
#include "apps/training/training.h"
#include "data/batches/loader.h"

namespace preceptor {

struct BadImage {
  std::string split, id, reason;
};
// "split,id,reason", a row per image.
std::string bad_images_table(const std::vector<BadImage>& bad);

struct TrainingData {
  Dataset images;                     // validated and tested
  std::vector<BadImage> bad_images;   // left out of them
  std::optional<Dataset> cumulative;  // with --ordinal: the same images under cumulative targets
  const Dataset& learned() const { return cumulative ? *cumulative : images; }
};

// given: the data if they are open already, else null. bad_images: file that lists those that a resumed run left out.
// Errors: those of open_dataset; data, for images that cannot be read; missing_input, for files that do not exist.
TrainingData open_training_data(const TrainingOptions& options, const Dataset* given, const std::string& bad_images,
                                bool resumed, const Note& note);

// How an epoch is divided into batches.
LoaderOptions training_batches(const TrainingOptions& options, const TrainingData& data);

}  // namespace preceptor
