// ChestX-ray14 (and ChestX-ray8, its beginning): Data_Entry_2017.csv of Wang et al. 2017 and the images it names.
#pragma once

#include "data/dataset.h"
#include "data/formats/dataset_spec.h"

namespace preceptor {

// chestxray14:FOLDER with Data_Entry_2017*.csv (or .csv.gz); images anywhere below it, found by their names. Parts: the
// folders train, val or valid, test that hold an image; else the official train_val_list.txt and test_list.txt, where
// present; else none (data/formats/listing.h says what then). Rows without an image and images without a row are left
// out, and counted in Dataset::notes. Columns: patient, sex, age, view. Keys, beside those of
// data/formats/image_table.h (grey unless channels=3):
//   labels=14|8     all findings, or the eight of ChestX-ray8
//   images=FOLDER   where to look for images, below FOLDER of the data
//   table=FILE      which table, where there are several
Dataset open_chestxray14(const DatasetSpec& spec);

}  // namespace preceptor
