// Images sorted into a folder per class, as many small sets come.
#pragma once

#include "data/dataset.h"
#include "data/formats/dataset_spec.h"

namespace preceptor {

// folder:FOLDER with FOLDER/CLASS/..., or FOLDER/train|val|valid|test/CLASS/...; classes in the order of their names.
// The id of an image is its path below FOLDER. Keys, beside those of data/formats/image_table.h:
//   task=multi-class|ordinal
//   patient=TEXT   the patient is what stands before TEXT in the name of a file: patient=_ for person12_virus_3.jpeg
// Without it every image is a patient of its own.
Dataset open_class_folders(const DatasetSpec& spec);

}  // namespace preceptor
