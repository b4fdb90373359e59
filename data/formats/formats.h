// The data formats: a function each that opens a data set, and the table that lists them.
#pragma once

#include <span>

#include "data/dataset.h"
#include "data/dataset_spec.h"

namespace preceptor {

// The place of a format's images decides which keys it shares with other formats.
enum class ImageStorage {
  files,      // decoded on demand: the keys of ImageTable::finish and divide
  memory,     // read as a whole: the keys of divide
  generated,  // none
};

struct DataFormat {
  const char* name;  // "chexpert"
  const char* path;  // PATH in help texts: "FOLDER"
  ImageStorage images;
  Dataset (*open)(const DatasetSpec&);  // called with valid keys only
  const char* own_keys;                 // separated by spaces
  const char* summary;

  std::vector<std::string> keys() const;  // own and shared ones
};

std::span<const DataFormat> data_formats();
// Errors: usage, with the list of formats.
const DataFormat& find_format(const DatasetSpec& spec);

// docs/data.md describes layouts and keys.
Dataset open_chexpert(const DatasetSpec& spec);
Dataset open_chestxray14(const DatasetSpec& spec);
Dataset open_retinopathy(const DatasetSpec& spec);
Dataset open_medmnist(const DatasetSpec& spec);
Dataset open_class_folders(const DatasetSpec& spec);
Dataset open_labelled_table(const DatasetSpec& spec);

}  // namespace preceptor
