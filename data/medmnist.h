// The MedMNIST layout: one .npz with train, val and test images and labels.
#pragma once

#include "data/dataset.h"
#include "data/dataset_spec.h"

namespace preceptor {

// medmnist:FILE.npz?n=500&seed=0&task=ordinal. Keys: n and seed (the first n training images of a seeded order) and
// task (multi-class or ordinal, for files with one label per image). Labels (N,1) are classes, (N,L) findings; a file
// whose name begins with "retinamnist" is ordinal unless told otherwise.
Dataset open_medmnist(const DatasetSpec& spec);

}  // namespace preceptor
