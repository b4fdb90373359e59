// Checks of the data before the first step.
#include "apps/training/training_data.h"

#include <algorithm>
#include <filesystem>

#include "data/formats/open_dataset.h"
#include "data/predictions/grades.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

// Train and val images are read in epoch 1 anyway; test images would fail only at the end.
void require_test_images(const Dataset& data, int threads) {
  Dataset test = data;
  test.train = test.val = Split{};
  const std::vector<BadImage> bad = find_bad_images(test, threads);
  if (bad.empty()) return;
  fail(ErrorKind::data, bad.front().reason, " (", bad.size(),
       " test images cannot be read; --on-bad-image skip leaves them out)");
}

// A resumed run leaves out what it left out before, whatever can be read by now: its epochs must not change.
std::vector<BadImage> bad_images_of(const TrainingOptions& options, const Dataset& data, const std::string& table,
                                    bool resumed, const Note& note) {
  std::vector<BadImage> bad;
  if (!resumed) {
    note("--on-bad-image skip: reading every image once");
    bad = find_bad_images(data, options.threads);
  } else if (std::filesystem::exists(table)) {
    bad = read_bad_images(table);
  }
  if (bad.empty()) return bad;
  const int images = data.train.count + data.val.count + data.test.count;
  require_data(static_cast<double>(bad.size()) <= options.bad_image_limit * images, data.source, ": ", bad.size(),
               " of ", images, " images cannot be read, more than --bad-image-limit ", options.bad_image_limit,
               "; the first: ", bad.front().reason);
  note(message(bad.size(), " of ", images, " images cannot be read and are left out: ", table));
  return bad;
}

void check_data(const TrainingOptions& options, const Dataset& data) {
  for (const auto& [name, split] :
       {std::pair{"training", &data.train}, std::pair{"validation", &data.val}, std::pair{"test", &data.test}})
    require_data(split->count > 0, data.source, ": has no ", name, " images");
  const int shift = options.augment.shift;
  require(shift < std::min(data.height, data.width), "--augment shift=", shift, ": the images have only ", data.height,
          "x", data.width, " pixels");
}

}  // namespace

TrainingData open_training_data(const TrainingOptions& options, const Dataset* given, const std::string& bad_images,
                                bool resumed, const Note& note) {
  TrainingData data{given != nullptr ? *given : open_dataset(options.data), {}, std::nullopt};
  for (const std::string& text : data.images.notes) note(text);
  if (options.on_bad_image == OnError::stop) {
    require_image_files(data.images, options.threads);
    require_test_images(data.images, options.threads);
  } else {
    data.bad_images = bad_images_of(options, data.images, bad_images, resumed, note);
    if (!data.bad_images.empty()) data.images = without_images(data.images, data.bad_images);
  }
  check_data(options, data.images);
  if (options.ordinal) data.cumulative = cumulative_grades(data.images);
  return data;
}

LoaderOptions training_batches(const TrainingOptions& options, const TrainingData& data) {
  const Split& split = data.images.train;
  return {.batch = options.batch,
          .shuffle = true,
          .seed = options.seed,
          .threads = loading_threads(split, options.threads),
          .prefetch = 4,
          .weights = sampling_weights(split, data.images.task, data.images.outputs, options.sampling),
          .mixup = options.augment.mixup};
}

}  // namespace preceptor
