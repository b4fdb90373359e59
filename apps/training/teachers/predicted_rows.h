// A teacher known only by its predictions: a table of probabilities by image name, written by any program.
#pragma once

#include <string>
#include <vector>

#include "apps/runs/progress.h"
#include "apps/training/teachers/teacher.h"
#include "data/predictions/predictions.h"

namespace preceptor {

// Images are found by their ids, findings by their names (card_and_data.h), or by their order if the file names none.
// Probabilities become logits, log(p / (1 - p)) for findings and log p for classes, of p kept from 1e-6 to 1 - 1e-6: an
// overconfident row must not become infinite. They are for the original images, whatever the student's augmentation.
class PredictedRows final : public Teacher {
 public:
  // skip_missing: for images without a row the student learns from the labels alone; otherwise they are an error. Notes
  // the AUC of the predictions on the validation images, or on the training images if it has none of those. Errors:
  // data, for missing images, no label in common, classes that are not those of the data.
  PredictedRows(Context& context, const ProbabilityTable& table, const Dataset& dataset, int batch, bool skip_missing,
                const Note& note);

  int missing() const { return missing_; }  // training images without a row

  void stage(const Batch& batch, std::int64_t step, Staging& staging) override;
  Features features(const TeacherInput&, const Tensor& student) const override;

 private:
  void pair_labels(const ProbabilityTable& table, const Dataset& dataset);
  void note_worth(const ProbabilityTable& table, const Dataset& dataset, const Note& note) const;

  std::vector<int> columns_;  // [outputs] of the table; -1: not there
  int missing_ = 0;
  std::vector<float> all_;     // [images, outputs] logits
  std::vector<bool> present_;  // [images]
  Tensor logits_;              // [batch, outputs]
  Tensor marks_;               // as labels: NaN where the image has no row, else 0; undefined if all have one
  std::vector<float> staged_, staged_marks_;
};

}  // namespace preceptor
