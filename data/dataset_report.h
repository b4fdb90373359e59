// What is wrong or remarkable with a data set, found by reading all of it: the facts behind preceptor-data check.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace preceptor {

struct LabelReport {
  std::string name;
  int positive = 0, negative = 0, unknown = 0;  // of a class: images of it, of others, 0
};

struct SplitReport {
  std::string name;  // train, val, test
  int images = 0, patients = 0;
  bool knows_patients = false;
  std::vector<LabelReport> labels;
  std::vector<double> mean, deviation;  // per channel, 0 to 1, of the images as a network sees them; empty without any
  // Names of labels that are not both present and absent here: their AUC is undefined.
  std::vector<std::string> undefined() const;
};

// An image, by the split and the id.
struct ImageName {
  std::string split, id;
};

struct NotedImage {
  ImageName image;
  std::string reason;
};

// Images that are the same or look alike, in the order of splits and positions.
struct DuplicateGroup {
  std::vector<ImageName> images;
  bool across_splits() const;
};

// Patients of two splits at once.
struct SharedPatients {
  std::string one, other;
  std::vector<std::string> patients;
};

struct DatasetReport {
  std::vector<SplitReport> splits;        // train, val, test
  std::map<std::string, int> forms;       // images by what is stored, "1024x1024 PNG grey 8 bit"
  std::vector<NotedImage> unreadable;     // with the reason
  std::vector<ImageName> constant;        // one value throughout
  std::vector<SharedPatients> shared;     // train-val, train-test, val-test
  std::vector<DuplicateGroup> identical;  // equal size and pixels as stored
  std::vector<DuplicateGroup> alike;      // not identical throughout; differ in at most near_distance bits
};

// Of the 256 bits of data/storage/image_hash.h. 621 chest films of as many patients differ in 16 bits and more; copies
// of them saved as JPEG, made darker or smaller in 2 on average and seldom in more than 8.
inline constexpr int near_distance = 8;

// Reads every image, up to `threads` at once (0: all cores); the result does not depend on them. Every pair of images
// is compared, which takes about a second for 50,000 images on one core and four times as long for twice as many.
// `done` is called now and then, from any thread, with the number of images read.
DatasetReport examine(const Dataset& data, int threads, const std::function<void(int)>& done = {});

}  // namespace preceptor
