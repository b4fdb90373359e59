// A teacher known only by its predictions: a table of probabilities by image name, written by any program.
#pragma once

#include "apps/runs/progress.h"
#include "apps/training/options/training_options.h"
#include "apps/training/teachers/teacher.h"
#include "data/predictions/predictions.h"

namespace preceptor {

// Images are found by their ids, findings by their names (card_and_data.h), or by their order if the file names none.
// Probabilities become logits, log(p / (1 - p)) for findings and log p for classes, of p kept from 1e-6 to 1 - 1e-6: an
// overconfident row must not become infinite. They are for the original images, whatever the student's augmentation.
//
// With --teacher-missing skip, from images without a row the student learns by the labels alone; otherwise they are an
// error. Notes the AUC of the predictions on the validation images, or on the training images if it has none of those.
// Errors: data, for missing images, no label in common, classes that are not those of the data; usage, for images that
// are missing to a method that compares those of a batch.
std::unique_ptr<Teacher> teach_predictions(Context& context, const TrainingOptions& options, const Dataset& learned,
                                           const ProbabilityTable& table, const Note& note);

}  // namespace preceptor
