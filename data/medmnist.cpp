// MedMNIST files: images checked against each other, labels against their meaning.
#include "data/medmnist.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>

#include "data/npz.h"
#include "data/random.h"
#include "engine/check.h"

namespace preceptor {
namespace {

// A larger class number is a damaged file: the network would get as many outputs.
constexpr std::int64_t largest_class = 9999;

using Names = std::vector<std::string>;

const Names nih_findings = {"atelectasis", "cardiomegaly", "effusion",           "infiltration",  "mass",
                            "nodule",      "pneumonia",    "pneumothorax",       "consolidation", "edema",
                            "emphysema",   "fibrosis",     "pleural thickening", "hernia"};

// Class names of the public sets whose classes can be told in a word or two; others get numbers.
Names known_names(const std::string& stem) {
  const Names organs = {"bladder", "femur-left", "femur-right", "heart",    "kidney-left", "kidney-right",
                        "liver",   "lung-left",  "lung-right",  "pancreas", "spleen"};
  const std::vector<std::pair<const char*, Names>> sets = {
      {"pneumoniamnist", {"normal", "pneumonia"}},
      {"breastmnist", {"malignant", "normal or benign"}},
      {"retinamnist", {"grade 0", "grade 1", "grade 2", "grade 3", "grade 4"}},
      {"octmnist", {"choroidal neovascularization", "diabetic macular edema", "drusen", "normal"}},
      {"organamnist", organs},
      {"organcmnist", organs},
      {"organsmnist", organs},
  };
  for (const auto& [prefix, names] : sets) {
    if (stem.starts_with(prefix)) return names;
  }
  return {};
}

Names label_names(const std::string& stem, Task task, int outputs) {
  if (task == Task::multi_label && outputs == static_cast<int>(nih_findings.size())) return nih_findings;
  Names names = task == Task::multi_label ? Names{} : known_names(stem);
  if (static_cast<int>(names.size()) == outputs) return names;
  names.clear();
  const char* word = task == Task::multi_label ? "label " : task == Task::ordinal ? "grade " : "class ";
  for (int i = 0; i < outputs; ++i) names.push_back(message(word, i));
  return names;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "(";
  for (const std::int64_t extent : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + ")";
}

// What the file holds before the labels have a meaning.
struct RawSplit {
  Split split;
  int width = 0, height = 0, channels = 0;
  std::int64_t label_columns = 0;
  std::vector<std::int64_t> labels;
};

RawSplit read_split(const Npz& file, const std::string& part) {
  const std::string place = file.path() + ": " + part;
  Array images = file.read(part + "_images");
  const auto& shape = images.shape;
  require_data(images.dtype == "|u1" || images.dtype == "<u1", place, " images are of type '", images.dtype,
               "', not unsigned bytes (|u1)");
  require_data(shape.size() == 3 || (shape.size() == 4 && shape[3] == 3), place, " images have shape ",
               shape_text(shape), ", not (count, height, width) or (count, height, width, 3)");
  require_data(shape[0] > 0 && shape[0] <= std::numeric_limits<int>::max(), place, ": ", shape[0], " images");
  require_data(shape[1] > 0 && shape[2] > 0 && shape[1] <= 65536 && shape[2] <= 65536, place, " images have shape ",
               shape_text(shape));
  RawSplit raw;
  raw.split.count = static_cast<int>(shape[0]);
  raw.height = static_cast<int>(shape[1]);
  raw.width = static_cast<int>(shape[2]);
  raw.channels = shape.size() == 4 ? 3 : 1;
  raw.split.images.resize(images.bytes.size());
  std::memcpy(raw.split.images.data(), images.bytes.data(), images.bytes.size());

  const Array labels = file.read(part + "_labels");
  require_data(labels.shape.size() == 2 && labels.shape[0] == shape[0] && labels.shape[1] >= 1 &&
                   labels.shape[1] <= largest_class + 1,
               place, " labels have shape ", shape_text(labels.shape), " for ", shape[0], " images");
  raw.label_columns = labels.shape[1];
  raw.labels = integers(labels, place + " labels");
  return raw;
}

// Labels become floats; the largest one is returned.
std::int64_t check_labels(RawSplit& raw, std::int64_t largest, const std::string& place) {
  std::int64_t top = 0;
  raw.split.labels.reserve(raw.labels.size());
  for (std::size_t i = 0; i < raw.labels.size(); ++i) {
    const std::int64_t value = raw.labels[i];
    require_data(value >= 0 && value <= largest, place, " labels, row ", i / raw.label_columns, ", column ",
                 i % raw.label_columns, ": ", value, " is not from 0 to ", largest);
    top = std::max(top, value);
    raw.split.labels.push_back(static_cast<float>(value));
  }
  return top;
}

// The images of a smaller n are among those of a larger one.
Split first_of_seeded_order(const Split& split, int count, std::size_t image_bytes, std::size_t label_width,
                            std::uint64_t seed) {
  const std::vector<std::int32_t> order = permutation(split.count, RandomStream(seed));
  Split result;
  result.count = count;
  for (int i = 0; i < count; ++i) {
    const auto image = split.images.begin() + static_cast<std::ptrdiff_t>(order[i] * image_bytes);
    const auto label = split.labels.begin() + static_cast<std::ptrdiff_t>(order[i] * label_width);
    result.images.insert(result.images.end(), image, image + static_cast<std::ptrdiff_t>(image_bytes));
    result.labels.insert(result.labels.end(), label, label + static_cast<std::ptrdiff_t>(label_width));
  }
  return result;
}

Task task_of(const DatasetSpec& spec, const std::string& stem, std::int64_t label_columns) {
  const std::string asked = spec.choice("task", "", {"multi-class", "ordinal"});
  if (label_columns > 1) {
    require(asked.empty(), spec.text, ": task=", asked, " does not fit a file with ", label_columns,
            " labels per image");
    return Task::multi_label;
  }
  if (asked.empty()) return stem.starts_with("retinamnist") ? Task::ordinal : Task::multi_class;
  return asked == "ordinal" ? Task::ordinal : Task::multi_class;
}

}  // namespace

Dataset open_medmnist(const DatasetSpec& spec) {
  spec.allow_only({"n", "seed", "task"});
  const Npz file(spec.path);
  const std::string stem = std::filesystem::path(spec.path).stem().string();
  RawSplit parts[3] = {read_split(file, "train"), read_split(file, "val"), read_split(file, "test")};
  const char* const part_names[3] = {"train", "val", "test"};
  Dataset data;
  data.source = spec.text;
  data.task = task_of(spec, stem, parts[0].label_columns);
  data.height = parts[0].height;
  data.width = parts[0].width;
  data.channels = parts[0].channels;
  std::int64_t top = 1;
  for (int p = 0; p < 3; ++p) {
    RawSplit& raw = parts[p];
    const std::string place = spec.path + ": " + part_names[p];
    require_data(raw.height == data.height && raw.width == data.width && raw.channels == data.channels &&
                     raw.label_columns == parts[0].label_columns,
                 place, ": images of ", raw.height, "x", raw.width, "x", raw.channels, " with ", raw.label_columns,
                 " labels per image, where train has ", data.height, "x", data.width, "x", data.channels, " with ",
                 parts[0].label_columns);
    top = std::max(top, check_labels(raw, data.task == Task::multi_label ? 1 : largest_class, place));
  }
  data.outputs = static_cast<int>(data.task == Task::multi_label ? parts[0].label_columns : top + 1);
  data.label_names = label_names(stem, data.task, data.outputs);
  data.train = std::move(parts[0].split);
  data.val = std::move(parts[1].split);
  data.test = std::move(parts[2].split);
  const auto n = static_cast<int>(spec.integer("n", data.train.count, 1, data.train.count));
  const auto seed = spec.integer("seed", 0, 0, std::numeric_limits<std::int64_t>::max());
  if (spec.find("n") != nullptr) {
    const std::size_t image_bytes = static_cast<std::size_t>(data.height) * data.width * data.channels;
    data.train =
        first_of_seeded_order(data.train, n, image_bytes, data.label_width(), static_cast<std::uint64_t>(seed));
  }
  return data;
}

}  // namespace preceptor
