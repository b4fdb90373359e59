// Any CSV or TSV that names images and their labels.
#pragma once

#include "data/dataset.h"
#include "data/formats/dataset_spec.h"

namespace preceptor {

// table:FILE.csv?image=COLUMN&..., whose columns the keys name. Labels are given in one of three ways:
//   labels=A,B,C                 findings, a column each: 1, 0, empty (unknown)
//   label=COLUMN&separator=|     findings in one column, their names separated by a character; the names that appear,
//                                in order; none=TEXT is what stands there without any ("No Finding" by default)
//   label=COLUMN                 one class: whole numbers from 0, or names, which then count in their order;
//                                task=ordinal makes grades of them
// Further keys, beside those of data/formats/image_table.h:
//   images=FOLDER                where the image column's paths begin; without it the folder of the table
//   ending=.png                  added to them
//   patient, sex, age, view, site=COLUMN   what is known of an image; sex and age in the forms of
//   data/formats/image_table.h part=COLUMN                  train, val (valid, validation, dev) or test
Dataset open_labelled_table(const DatasetSpec& spec);

}  // namespace preceptor
