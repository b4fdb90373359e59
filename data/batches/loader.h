// Batches for training and evaluation, gathered by background threads in an order that depends on the seed alone.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/dataset.h"

namespace preceptor {

struct Batch {
  int size = 0;   // images in the buffers, always the loader's batch size
  int valid = 0;  // images that count; the rest repeat the last image (last batch of an evaluation only)
  std::vector<std::uint8_t> images;     // [size, height, width, channels]
  std::vector<float> labels;            // [size, label_width]
  std::vector<std::int32_t> positions;  // [size] of each image in its split
  // Empty without mixup: image i is lambda[i] * its own image + (1 - lambda[i]) * a partner from the batch.
  std::vector<float> lambda;          // [size] 0.5 to 1
  std::vector<float> partner_labels;  // [size, label_width]
};

struct LoaderOptions {
  int batch = 64;
  bool shuffle = false;  // a new permutation per epoch, from (seed, epoch); drops an incomplete last batch
  std::uint64_t seed = 0;
  int threads = 1;   // background threads; the batches are the same for any number
  int prefetch = 4;  // batches kept ready
  // [count] or empty. With shuffle, an epoch is then `count` draws with replacement, whose probabilities are
  // proportional to these weights (data/batches/sampling.h).
  std::vector<double> weights = {};
  // Above 0: mixes every image with another one of its batch, pixel by pixel, with lambda from Beta(mixup, mixup) or
  // 1 - lambda, whichever is larger, for the image itself (Zhang et al. 2018; depends on seed and epoch alone). At most
  // 1; requires shuffle.
  double mixup = 0;
  // False: leaves Batch::images empty (the caller already holds every image on the device); requires mixup == 0.
  bool pixels = true;
};

// Iterates one epoch at a time: start(epoch), then next() until it returns nullptr. Threads read and decode images
// ahead into a ring of prefetch + 1 batches, whose memory does not depend on the number of images. If an image cannot
// be read, next() throws its Error in place of the batch, the first one if there are several. With shuffle, a split
// smaller than the batch gives one batch of all its images (see batch_size()).
class Loader {
 public:
  Loader(const Dataset& dataset, const Split& split, const LoaderOptions& options);  // keeps references to both
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  int batch_size() const;  // images per batch: min(options.batch, images in the split)
  int batches_per_epoch() const;
  void start(std::int64_t epoch);
  const Batch* next();  // valid until the following call of next() or start(); nullptr at the end of the epoch

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Threads for a loader of this split: one if images only have to be copied, else `threads`.
int loading_threads(const Split& split, int threads);

}  // namespace preceptor
