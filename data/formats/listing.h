// All images of a data set in one list, each with the split that the data assign to it, and the division into splits.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"
#include "data/dataset_spec.h"

namespace preceptor {

enum class Part : std::uint8_t {
  train,
  val,
  test,
  open,  // not assigned by the data
};

// By name: train (training), val (valid, validation, dev), test (testing), in upper or lower case; otherwise open.
Part part_named(std::string_view name);
// The first folder of the path that names a part decides.
Part part_in_path(const std::string& path);

struct Listing {
  Task task = Task::multi_class;
  int height = 0, width = 0, channels = 0;
  std::vector<std::string> label_names;
  Split all;
  std::vector<Part> parts;  // [all.count]
};

// Makes the data set of a listing under the keys split, fold, n, val, test and seed (docs/data.md, "Splits"). n, val
// and test take the first images of a seeded order of patients, so that a smaller number is contained in a larger one.
// Errors: usage; data for a split file that does not fit.
Dataset divide(Listing listing, const DatasetSpec& spec);

// The parts of a data set as split=FILE.csv reads them: one row per image, "id,split".
std::string split_table(const Dataset& data);

}  // namespace preceptor
