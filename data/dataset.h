// Labeled images, as every format delivers them: labels and names in memory, pixels on demand.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "data/storage/image_source.h"
#include "engine/task.h"

namespace preceptor {

struct ImageListing;

// One text per image, empty if unknown. Names with a meaning: patient (all images of a patient are in one split), sex
// (F, M), age (whole years), view (PA, AP, lateral), site.
struct TextColumn {
  std::string name;
  std::vector<std::string> values;  // [count]
};

// One of train, val, test.
struct Split {
  int count = 0;
  Images images;  // [count]
  // multi_class, ordinal: [count] class index; multi_label: [count, outputs] 0, 1 or NaN (unknown)
  std::vector<float> labels;
  std::vector<std::string> ids;     // [count] names of the images, from the format's own tables or "train/17"
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
  // For images in files: the form that they are converted to, "224x224x1" or "224x224x3-crop", and the default path of
  // its cache (data/storage/image_cache.h). Empty for images in memory.
  std::string image_form, cache_path;
  std::vector<std::string> notes;  // remarks for the user, one line each: rows without an image, for example

  std::array<const Split*, 3> splits() const { return {&train, &val, &test}; }
  // Numbers per image in Split::labels.
  int label_width() const { return task == Task::multi_label ? outputs : 1; }
  std::size_t image_bytes() const { return static_cast<std::size_t>(height) * width * channels; }
};

inline constexpr std::array<const char*, 3> split_names = {"train", "val", "test"};

// labels[image] as an integer class, for multi_class and ordinal data only.
int class_of(const Split& split, int image);

// The images of a split at these positions, in this order.
Split selected(const Split& split, std::vector<std::int32_t> rows, int label_width);

// The images of all splits, for write_image_cache (data/storage/image_cache.h).
ImageListing listed_images(const Dataset& data);

// "train/0", "train/1", ...: ids of images that have no names of their own.
std::vector<std::string> numbered_ids(const std::string& part, int count);

// The distinct values of a column numbered from 0 in the order of their first appearance: the patients of the images,
// for example. An unknown (empty) value gets a number of its own.
std::vector<std::int32_t> numbered_values(const std::vector<std::string>& values);

}  // namespace preceptor
