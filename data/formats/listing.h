// What a format finds, before it is divided: all images in one list, with the part that the data give each of them.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/formats/dataset_spec.h"

namespace preceptor {

enum class Part : std::uint8_t {
  train,
  val,
  test,
  open,  // the data say nothing of it
};

struct Listing {
  Task task = Task::multi_class;
  int height = 0, width = 0, channels = 0;
  std::vector<std::string> label_names;
  Split all;
  std::vector<Part> parts;  // [all.count]
};

// The keys of a data set's name that divide() understands, before `own` keys of a format.
std::vector<std::string> with_split_keys(std::vector<std::string> own);

// Makes the data set of a listing, as the keys of its name say:
//   split=given      (default) the parts that the data give. Where they give none: 80/10/10. Where they give training
//                    images but no val or no test, that part is a tenth of the training images, drawn by patient.
//   split=80/10/10   percentages of train, val and test, drawn by patient from all images
//   split=test       every image is a test image
//   split=FILE.csv   columns id and split (train, val, test); images that it does not name are left out
//   fold=2/5         patients in 5 folds: the 2nd is test, the one behind it val, the others train
//   n, val, test     so many images of a part, the first of a seeded order of its patients: a smaller number is
//                    contained in a larger one
//   seed             of everything drawn
// Errors: usage; data for a split file that does not fit.
Dataset divide(Listing listing, const DatasetSpec& spec);

// The parts of a data set as split=FILE.csv reads them: a row per image, "id,split".
std::string split_table(const Dataset& data);

}  // namespace preceptor
