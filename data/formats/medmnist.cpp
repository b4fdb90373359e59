// The MedMNIST layout: one .npz with train, val and test images and labels, all held in memory. Labels (N,1) are
// classes, (N,L) findings; a file whose name begins with "retinamnist" is ordinal by default.
#include <algorithm>
#include <filesystem>
#include <limits>

#include "data/formats/formats.h"
#include "data/formats/listing.h"
#include "data/storage/npz.h"
#include "engine/files/check.h"

namespace preceptor {
namespace {

// A larger class number means a damaged file: the network would get that many outputs.
constexpr std::int64_t largest_class = 9999;

using Names = std::vector<std::string>;

const Names nih_findings = {"atelectasis", "cardiomegaly", "effusion",           "infiltration",  "mass",
                            "nodule",      "pneumonia",    "pneumothorax",       "consolidation", "edema",
                            "emphysema",   "fibrosis",     "pleural thickening", "hernia"};

// Class names of the public sets, as medmnist.com lists them.
Names known_names(const std::string& stem) {
  const Names organs = {"bladder", "femur-left", "femur-right", "heart",    "kidney-left", "kidney-right",
                        "liver",   "lung-left",  "lung-right",  "pancreas", "spleen"};
  const std::vector<std::pair<const char*, Names>> sets = {
      {"pathmnist",
       {"adipose", "background", "debris", "lymphocytes", "mucus", "smooth muscle", "normal colon mucosa",
        "cancer-associated stroma", "colorectal adenocarcinoma epithelium"}},
      {"dermamnist",
       {"actinic keratoses and intraepithelial carcinoma", "basal cell carcinoma", "benign keratosis-like lesions",
        "dermatofibroma", "melanoma", "melanocytic nevi", "vascular lesions"}},
      {"octmnist", {"choroidal neovascularization", "diabetic macular edema", "drusen", "normal"}},
      {"pneumoniamnist", {"normal", "pneumonia"}},
      {"retinamnist", {"grade 0", "grade 1", "grade 2", "grade 3", "grade 4"}},
      {"breastmnist", {"malignant", "normal or benign"}},
      {"bloodmnist",
       {"basophil", "eosinophil", "erythroblast", "immature granulocytes", "lymphocyte", "monocyte", "neutrophil",
        "platelet"}},
      {"tissuemnist",
       {"collecting duct, connecting tubule", "distal convoluted tubule", "glomerular endothelial cells",
        "interstitial endothelial cells", "leukocytes", "podocytes", "proximal tubule segments",
        "thick ascending limb"}},
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

// The arrays of one split, before the labels are interpreted.
struct RawSplit {
  int count = 0;
  std::vector<std::uint8_t> images;
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
  raw.count = static_cast<int>(shape[0]);
  raw.height = static_cast<int>(shape[1]);
  raw.width = static_cast<int>(shape[2]);
  raw.channels = shape.size() == 4 ? 3 : 1;
  raw.images = std::move(images.bytes);

  const Array labels = file.read(part + "_labels");
  require_data(labels.shape.size() == 2 && labels.shape[0] == shape[0] && labels.shape[1] >= 1 &&
                   labels.shape[1] <= largest_class + 1,
               place, " labels have shape ", shape_text(labels.shape), " for ", shape[0], " images");
  raw.label_columns = labels.shape[1];
  raw.labels = integers(labels, place + " labels");
  return raw;
}

// Appends the labels as floats and returns the largest one.
std::int64_t append_labels(const RawSplit& raw, std::int64_t largest, const std::string& place,
                           std::vector<float>& labels) {
  std::int64_t top = 0;
  for (std::size_t i = 0; i < raw.labels.size(); ++i) {
    const std::int64_t value = raw.labels[i];
    require_data(value >= 0 && value <= largest, place, " labels, row ", i / raw.label_columns, ", column ",
                 i % raw.label_columns, ": ", value, " is not from 0 to ", largest);
    top = std::max(top, value);
    labels.push_back(static_cast<float>(value));
  }
  return top;
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
  const Npz file(spec.path);
  const std::string stem = std::filesystem::path(spec.path).stem().string();
  RawSplit raws[3] = {read_split(file, "train"), read_split(file, "val"), read_split(file, "test")};
  const RawSplit& first = raws[0];
  Listing listing;
  listing.task = task_of(spec, stem, first.label_columns);
  listing.height = first.height;
  listing.width = first.width;
  listing.channels = first.channels;
  std::int64_t top = 1;
  std::vector<std::vector<std::uint8_t>> blocks;
  for (std::size_t p = 0; p < 3; ++p) {
    RawSplit& raw = raws[p];
    const std::string place = spec.path + ": " + split_names[p];
    require_data(raw.height == first.height && raw.width == first.width && raw.channels == first.channels &&
                     raw.label_columns == first.label_columns,
                 place, ": images of ", raw.height, "x", raw.width, "x", raw.channels, " with ", raw.label_columns,
                 " labels per image, where train has ", first.height, "x", first.width, "x", first.channels, " with ",
                 first.label_columns);
    const std::int64_t largest = listing.task == Task::multi_label ? 1 : largest_class;
    top = std::max(top, append_labels(raw, largest, place, listing.all.labels));
    for (std::string& id : numbered_ids(split_names[p], raw.count)) listing.all.ids.push_back(std::move(id));
    listing.parts.insert(listing.parts.end(), static_cast<std::size_t>(raw.count), static_cast<Part>(p));
    blocks.push_back(std::move(raw.images));
  }
  const std::int64_t outputs = listing.task == Task::multi_label ? first.label_columns : top + 1;
  listing.label_names = label_names(stem, listing.task, static_cast<int>(outputs));
  listing.all.images = std::make_shared<MemoryImages>(
      std::move(blocks), static_cast<std::size_t>(first.height) * first.width * first.channels);
  listing.all.count = listing.all.images->count();
  return divide(std::move(listing), spec);
}

}  // namespace preceptor
