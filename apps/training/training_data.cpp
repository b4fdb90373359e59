// Checks of the data before the first step.
#include "apps/training/training_data.h"

#include <algorithm>
#include <filesystem>
#include <unordered_set>

#include "data/formats/open_dataset.h"
#include "data/parallel.h"
#include "data/predictions/grades.h"
#include "data/tables/table.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

int images_of(const Dataset& data) { return data.train.count + data.val.count + data.test.count; }

// The images that come from files and for which reason(source, position), called on `threads` threads (0: all cores),
// returns a text; in order of splits and positions.
template <class Reason>
std::vector<BadImage> images_with(const Dataset& data, int threads, const Reason& reason) {
  std::vector<BadImage> found;
  for (std::size_t k = 0; k < split_names.size(); ++k) {
    const Split& split = *data.splits()[k];
    if (split.count == 0 || split.images->file(0).empty()) continue;
    std::vector<std::string> reasons(split.ids.size());
    parallel_for(split.count, threads, [&](int i) { reasons[static_cast<std::size_t>(i)] = reason(*split.images, i); });
    for (std::size_t i = 0; i < reasons.size(); ++i)
      if (!reasons[i].empty()) found.push_back({split_names[k], split.ids[i], std::move(reasons[i])});
  }
  return found;
}

// Files are not opened.
void require_image_files(const Dataset& data, int threads) {
  const std::vector<BadImage> missing = images_with(data, threads, [](const ImageSource& images, int i) {
    std::error_code ignored;
    const std::string file = images.file(i);
    return std::filesystem::exists(file, ignored) ? "" : file;
  });
  if (missing.empty()) return;
  fail(ErrorKind::missing_input, data.source, ": ", missing.size(), " of ", images_of(data),
       " images are not there, the first is ", missing.front().reason, " (", missing.front().id,
       "); --on-bad-image skip leaves them out");
}

// Reads every image once.
std::vector<BadImage> find_bad_images(const Dataset& data, int threads) {
  return images_with(data, threads, [](const ImageSource& images, int i) -> std::string {
    try {
      read_pixels(images, i);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  });
}

// Train and val images are read in epoch 1 anyway; test images would fail only at the end.
void require_test_images(const Dataset& data, int threads) {
  Dataset test = data;
  test.train = test.val = Split{};
  const std::vector<BadImage> bad = find_bad_images(test, threads);
  if (bad.empty()) return;
  fail(ErrorKind::data, bad.front().reason, " (", bad.size(),
       " test images cannot be read; --on-bad-image skip leaves them out)");
}

// Errors: those of data/tables/table.h.
std::vector<BadImage> read_bad_images(const std::string& path) {
  TableReader table(path);
  const std::size_t split = table.require_column("split"), id = table.require_column("id"),
                    reason = table.require_column("reason");
  std::vector<BadImage> bad;
  while (table.next())
    bad.push_back({std::string(table.field(split)), std::string(table.field(id)), std::string(table.field(reason))});
  return bad;
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
  const int images = images_of(data);
  require_data(static_cast<double>(bad.size()) <= options.bad_image_limit * images, data.source, ": ", bad.size(),
               " of ", images, " images cannot be read, more than --bad-image-limit ", options.bad_image_limit,
               "; the first: ", bad.front().reason);
  note(message(bad.size(), " of ", images, " images cannot be read and are left out: ", table));
  return bad;
}

void leave_out(Dataset& data, const std::vector<BadImage>& bad) {
  for (auto& [name, split] :
       {std::pair{"train", &data.train}, std::pair{"val", &data.val}, std::pair{"test", &data.test}}) {
    std::unordered_set<std::string> ids;
    for (const BadImage& image : bad)
      if (image.split == name) ids.insert(image.id);
    std::vector<std::int32_t> rows;
    for (std::int32_t i = 0; i < split->count; ++i)
      if (!ids.contains(split->ids[static_cast<std::size_t>(i)])) rows.push_back(i);
    *split = selected(*split, std::move(rows), data.label_width());
  }
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

std::string bad_images_table(const std::vector<BadImage>& bad) {
  std::string text = "split,id,reason\n";
  for (const BadImage& image : bad)
    text += image.split + "," + csv_field(image.id) + "," + csv_field(image.reason) + "\n";
  return text;
}

TrainingData open_training_data(const TrainingOptions& options, const Dataset* given, const std::string& bad_images,
                                bool resumed, const Note& note) {
  TrainingData data{given != nullptr ? *given : open_dataset(options.data), {}, std::nullopt};
  for (const std::string& text : data.images.notes) note(text);
  if (options.on_bad_image == OnError::stop) {
    require_image_files(data.images, options.threads);
    require_test_images(data.images, options.threads);
  } else {
    data.bad_images = bad_images_of(options, data.images, bad_images, resumed, note);
    if (!data.bad_images.empty()) leave_out(data.images, data.bad_images);
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
