// Images and labels in memory, as every format delivers them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/task.h"

namespace preceptor {

// One of train, val, test.
struct Split {
  int count = 0;
  std::vector<std::uint8_t> images;  // [count, height, width, channels]
  std::vector<float>
      labels;  // multi_class, ordinal: [count] class index; multi_label: [count, outputs], 0, 1 or NaN (unknown)
};

struct Dataset {
  std::string source;  // the text it was opened with, "medmnist:retinamnist.npz"
  Task task = Task::multi_class;
  int height = 0, width = 0, channels = 0;  // channels is 1 (grey) or 3 (RGB)
  int outputs = 0;                          // network outputs: classes or findings
  std::vector<std::string> label_names;     // [outputs]
  Split train, val, test;

  // Numbers per image in Split::labels.
  int label_width() const { return task == Task::multi_label ? outputs : 1; }
};

// Opens FORMAT:PATH[?key=value&...]: "medmnist:FILE.npz" or "phantom:chest?site=b&n=500&seed=0" (data/phantom.h lists
// the keys). `n` keeps the first n training images of a seeded order that respects no patient (these formats have
// none); val and test stay whole. Errors: unknown format or key (usage), missing file (missing_input), wrong content
// (data).
Dataset open_dataset(const std::string& spec);

// What a row of class labels looks like: labels[i] as an integer class. Only for multi_class and ordinal data.
int class_of(const Split& split, int image);

}  // namespace preceptor
