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

// Makes the data set of a listing as the keys of its name say:
//   split=given      (default) the parts given by the data; 80/10/10 if there are none. If the data give training
//                    images but no val or no test, that part is a tenth of the training images, drawn by patient.
//   split=80/10/10   percentages of train, val and test, drawn by patient from all images
//   split=test       every image is a test image
//   split=FILE.csv   columns id and split (train, val, test); images that it does not name are left out
//   fold=2/5         patients in 5 folds: the 2nd is test, the next one val, the others train
//   n, val, test     number of images of a part, the first of a seeded order of its patients: a smaller number is
//                    contained in a larger one
//   seed             seed of everything drawn
// Errors: usage; data for a split file that does not fit.
Dataset divide(Listing listing, const DatasetSpec& spec);

// The parts of a data set as split=FILE.csv reads them: one row per image, "id,split".
std::string split_table(const Dataset& data);

}  // namespace preceptor
