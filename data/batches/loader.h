// Batches for training and evaluation: gathered by background threads, in an order that depends on the seed alone.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/dataset.h"

namespace preceptor {

struct Batch {
  int size = 0;   // images in the buffers, always the loader's batch size
  int valid = 0;  // images that count; the rest repeat the last image (only the last batch of an evaluation)
  std::vector<std::uint8_t> images;     // [size, height, width, channels]
  std::vector<float> labels;            // [size, label_width]
  std::vector<std::int32_t> positions;  // [size] of each image in its split
  // With mixup, otherwise empty: image i is shares[i] of the one that positions and labels tell of, the rest of another
  // of the batch, with these labels.
  std::vector<float> shares;          // [size] 0.5 to 1
  std::vector<float> partner_labels;  // [size, label_width]
};

struct LoaderOptions {
  int batch = 64;
  bool shuffle = false;  // a new permutation per epoch, from (seed, epoch); an incomplete last batch is left out
  std::uint64_t seed = 0;
  int threads = 1;   // background threads; the batches are the same for any number
  int prefetch = 4;  // batches kept ready
  // [count] or empty. With shuffle, an epoch is then so many draws with replacement, each image as often as its weight
  // says (data/batches/sampling.h).
  std::vector<double> weights;
  // Above 0: every image is mixed with another one of its batch, pixel by pixel, by shares from Beta(mixup, mixup), of
  // which the larger is the image's own (Zhang et al. 2018; who is mixed with whom and how depends on seed and epoch
  // alone). At most 1; needs shuffle.
  double mixup = 0;
  bool pixels = true;  // false: images stay empty, for who has them all; needs mixup 0
};

// Iterates one epoch at a time: start(epoch), then next() until it returns nullptr. Threads read and decode images
// ahead into a ring of prefetch + 1 batches: that is all the memory it takes, whatever the number of images. An image
// that cannot be read: next() throws its Error in place of its batch, the first of them if there are several. With
// shuffle, a split smaller than the batch gives one batch of all its images (batch_size() says so).
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

// How many threads a loader of this split needs: one where images only have to be copied, else `threads`.
int loading_threads(const Split& split, int threads);

}  // namespace preceptor
