// Problems and peculiarities of a data set, found by reading all of it: the report of preceptor-data check.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace preceptor {

struct LabelReport {
  std::string name;
  int positive = 0, negative = 0, unknown = 0;  // for a class: images of it, images of others, 0
};

struct SplitReport {
  std::string name;  // train, val, test
  int images = 0, patients = 0;
  bool knows_patients = false;
  std::vector<LabelReport> labels;
  std::vector<double> mean, deviation;  // per channel, 0 to 1, after preparation for the network; empty without images
  // Labels that are not both present and absent here: their AUC is undefined.
  std::vector<std::string> undefined() const;
};

// The split and id of an image.
struct ImageName {
  std::string split, id;
};

struct NotedImage {
  ImageName image;
  std::string reason;
};

// Identical or similar images, in the order of splits and positions.
struct DuplicateGroup {
  std::vector<ImageName> images;
  bool across_splits() const;
};

// Patients that appear in two splits.
struct SharedPatients {
  std::string one, other;
  std::vector<std::string> patients;
};

struct DatasetReport {
  std::vector<SplitReport> splits;        // train, val, test
  std::map<std::string, int> forms;       // number of images by storage form, "1024x1024 PNG grey 8 bit"
  std::vector<NotedImage> unreadable;     // with the reason
  std::vector<ImageName> constant;        // all pixels have one value
  std::vector<SharedPatients> shared;     // train-val, train-test, val-test
  std::vector<DuplicateGroup> identical;  // equal size and pixels as stored
  std::vector<DuplicateGroup> alike;      // not all identical; differ in at most near_distance bits
};

// Out of the 256 bits of data/storage/image_hash.h. 621 chest films of as many patients differ in 16 bits and more;
// copies saved as JPEG, darkened or shrunk differ in 2 on average and rarely in more than 8.
inline constexpr int near_distance = 8;

// Reads every image, up to `threads` at once (0: all cores); the result does not depend on their number. Compares every
// pair of images, which takes about a second for 50,000 images on one core and four times as long for twice as many.
// Calls `done` from time to time, from any thread, with the number of images read.
DatasetReport examine(const Dataset& data, int threads, const std::function<void(int)>& done = {});

}  // namespace preceptor
