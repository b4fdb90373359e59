// Labelled images, as every format delivers them: labels and names in memory, pixels on demand.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/storage/image_source.h"
#include "engine/task.h"

namespace preceptor {

// A text per image. Names with a meaning: patient (images of one patient never part), sex (F, M), age (whole years),
// view (PA, AP, lateral), site. Empty text: unknown.
struct TextColumn {
  std::string name;
  std::vector<std::string> values;  // [count]
};

// One of train, val, test.
struct Split {
  int count = 0;
  Images images;  // [count]
  std::vector<float>
      labels;  // multi_class, ordinal: [count] class index; multi_label: [count, outputs], 0, 1 or NaN (unknown)
  std::vector<std::string> ids;  // [count] what names an image in tables: as the format's own tables do, or "train/17"
  std::vector<TextColumn> columns;  // those that the format knows

  // The values of a column, or nullptr.
  const std::vector<std::string>* column(const std::string& name) const;
};

struct Dataset {
  std::string source;  // the text it was opened with, "medmnist:retinamnist.npz"
  Task task = Task::multi_class;
  int height = 0, width = 0, channels = 0;  // channels is 1 (grey) or 3 (RGB)
  int outputs = 0;                          // network outputs: classes or findings
  std::vector<std::string> label_names;     // [outputs]
  Split train, val, test;
  // Of images in files: what is made of them, "224x224x1" or "224x224x3-crop", and where the cache of it is looked for
  // (data/storage/image_cache.h). Empty for images in memory.
  std::string image_form, cache_path;
  std::vector<std::string> notes;  // what a user should know of the data, a line each: rows without image, for example

  // Numbers per image in Split::labels.
  int label_width() const { return task == Task::multi_label ? outputs : 1; }
  std::size_t image_bytes() const { return static_cast<std::size_t>(height) * width * channels; }
};

// Opens FORMAT:PATH[?key=value&...], for example "phantom:chest?site=b&n=500". Formats and where their layout and keys
// are stated: chexpert, chestxray14, retinopathy, medmnist, phantom (headers of these names), folder
// (data/formats/class_folders.h), table (data/formats/labelled_table.h). Images in files are read later, when they are
// needed. Errors: unknown format or key (usage), missing file (missing_input), wrong content (data).
Dataset open_dataset(const std::string& spec);

// What a row of class labels looks like: labels[i] as an integer class. Only for multi_class and ordinal data.
int class_of(const Split& split, int image);

// Images of a split, in this order of their positions.
Split selected(const Split& split, std::vector<std::int32_t> rows, int label_width);

// "train/0", "train/1", ...: ids of images that have no name of their own.
std::vector<std::string> numbered_ids(const std::string& part, int count);

}  // namespace preceptor
