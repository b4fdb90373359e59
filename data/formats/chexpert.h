// CheXpert: train.csv and valid.csv of Irvin et al. 2019 with its policies for what radiologists left uncertain.
#pragma once

#include "data/dataset.h"
#include "data/formats/dataset_spec.h"

namespace preceptor {

// chexpert:FOLDER, the folder that holds train.csv and valid.csv (test.csv too, where present). Paths of images are
// taken below it with or without their first folder ("CheXpert-v1.0-small/"), or below its parent. Columns: patient
// (from the path), sex, age, view (AP, PA, lateral); Sex, Age, Frontal/Lateral and AP/PA may be missing.
// Keys, beside those of data/formats/image_table.h (grey unless channels=3):
//   labels=14|5      all, or the five of the competition
//   view=all|frontal|lateral
//   uncertain=POLICY[,LABEL:POLICY...]  what -1 becomes, for all labels and for single ones:
//     zeros (default)  0            ones  1
//     ignore           unknown: such a label counts neither in the loss nor in a metric
//     multi-class      0, and a further output "LABEL uncertain" is 1 there: U-MultiClass with a sigmoid for each of
//                      positive and uncertain in place of a softmax over the three
//     self-trained     the probability that a finished model gave the image, from predictions=FILE.csv, a table of
//                      preceptor-predict or of a run; unknown in val and test, so that no model is judged by a model's
//                      guess
//   blank=negative|unknown  what an empty field becomes
Dataset open_chexpert(const DatasetSpec& spec);

}  // namespace preceptor
