// The MedMNIST layout: one .npz with train, val and test images and labels.
#pragma once

#include "data/dataset.h"
#include "data/formats/dataset_spec.h"

namespace preceptor {

// medmnist:FILE.npz?n=500&seed=0&task=ordinal: any 2-D set of any size. Keys: those of data/formats/listing.h and task
// (multi-class or ordinal, for files with one label per image). The images are in memory as a whole. Labels (N,1) are
// classes, (N,L) findings; a file whose name begins with "retinamnist" is ordinal unless told otherwise.
Dataset open_medmnist(const DatasetSpec& spec);

}  // namespace preceptor
