// Distillation on logits softened by a temperature: over classes (softmax), and per label for multi-label outputs.
#pragma once

#include <algorithm>

#include "kernels/device/family.h"

namespace preceptor::kernels {

// Bytes of a row's logits, student's and teacher's together, that the kernel keeps on chip. The rest of a row is
// read twice. 160 KiB is what a block of every card since sm_80 can have.
constexpr int softened_kl_on_chip = 160 * 1024;

// Hinton et al. 2015: T^2 KL(softmax(teacher / T) || softmax(student / T)), loss and gradient in one launch; with
// labels the student's whole loss, hard and soft. T is float or bfloat16 (cpu: float).
template <class T>
struct SoftenedKl {
  static constexpr const char* name = "softened_kl";
  const T* student;  // [rows, classes] logits
  const T* teacher;  // [rows, classes] logits
  float* loss;   // [rows] scale * T^2 * KL, plus hard_scale * cross entropy; the mean over the batch when the scales
                 // are 1 / rows and the rows are added
  T* d_student;  // [rows, classes] d loss[row] / d student
  int rows, classes;                       // classes >= 1
  float temperature;                       // > 0
  float scale;                             // weight of the term, usually weight / rows
  const float* row_temperature = nullptr;  // [rows] > 0, in place of temperature; nullptr: temperature for all
  const float* labels = nullptr;           // [rows] class index as float; NaN: no hard loss in this row; nullptr: none
  float hard_scale = 0;                    // weight of -log softmax(student)[label], usually weight / rows

  // A row that does not fit on chip is read again from where it no longer fits.
  Cost cost() const {
    const double entries = count_of(rows, classes);
    const double again = count_of(rows, std::max(0, classes - softened_kl_on_chip / static_cast<int>(2 * sizeof(T))));
    const double scalars = count_of(rows, 1 + (row_temperature != nullptr) + (labels != nullptr));
    return {(3 * entries + 2 * again) * sizeof(T) + scalars * sizeof(float), (labels ? 30 : 20) * entries};
  }
};
KERNEL_FAMILY_OF_T(SoftenedKl);

// The multi-label form: each label is a binary distribution, p = sigmoid(teacher / T), q = sigmoid(student / T), and
// the loss is T^2 [p log(p / q) + (1 - p) log((1 - p) / (1 - q))], averaged over the entries whose target is known.
// Entries whose target is y count y of_present + (1 - y) of_absent times.
template <class T>
struct SoftenedBinaryKl {
  static constexpr const char* name = "softened_binary_kl";
  const T* student;      // [rows, labels] logits
  const T* teacher;      // [rows, labels] logits
  const float* targets;  // [rows, labels]; a NaN marks an unknown label, left out here too; nullptr: all count
  float* loss;           // [rows] weight / known * sum over the row's known labels; known is counted over all rows
  T* d_student;          // [rows, labels] d (sum of loss) / d student; 0 where unknown
  int rows, labels;
  float temperature;  // > 0
  float weight;
  float of_present = 1, of_absent = 1;  // both 1 where targets is nullptr

  Cost cost() const {
    const double entries = count_of(rows, labels);
    return {3 * entries * sizeof(T) + (rows + (targets ? entries : 0)) * sizeof(float), 30 * entries};
  }
};
KERNEL_FAMILY_OF_T(SoftenedBinaryKl);

}  // namespace preceptor::kernels
