// What teachers say of training images, known before the step: rows that are staged beside the images of a batch.
#pragma once

#include <string>
#include <vector>

#include "data/batches/loader.h"
#include "data/storage/row_file.h"
#include "engine/staging.h"
#include "models/network.h"

namespace preceptor {

class TeacherRows {
 public:
  virtual ~TeacherRows() = default;
  TeacherRows(const TeacherRows&) = delete;
  TeacherRows& operator=(const TeacherRows&) = delete;

  // Puts the rows of a batch, which is step `step` of the run (from 0), where features() finds them. Errors: data, for
  // images that are not those which the teachers saw.
  virtual void stage(const Batch& batch, std::int64_t step, Staging& staging) = 0;

  // Logits of the student's labels, and taps: in the same memory in every step. student: its logits, which stand for
  // what the teachers do not say.
  virtual Features features(const Tensor& student) const = 0;

 protected:
  TeacherRows() = default;
};

}  // namespace preceptor
