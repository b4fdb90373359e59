// Decoupled distillation (Zhao et al. 2022): what the teacher says of the label, and of the other classes, apart.
#pragma once

#include "kernels/device/family.h"

namespace preceptor::kernels {

// With p, q the softmax of teacher / T and student / T, l the row's label, and p', q' the same without class l:
//   loss = T^2 (of_target KL((p_l, 1 - p_l) || (q_l, 1 - q_l)) + of_others KL(p' || q'))
// Loss and gradient in one launch. Outputs are float: a batch has a few thousand of them.
struct DecoupledKl {
  static constexpr const char* name = "decoupled_kl";
  const float* student;  // [rows, classes] logits
  const float* teacher;  // [rows, classes] logits
  const float* labels;   // [rows] class index as float; NaN: unknown, the row is left out
  float* loss;           // [rows] scale * loss of the row
  float* d_student;      // [rows, classes] d loss[row] / d student
  int rows, classes;     // classes >= 2
  float temperature;     // > 0
  float of_target, of_others;
  float scale;  // usually weight / rows

  // A row is read three times: for its maxima, its sums, and its gradient.
  Cost cost() const {
    return {(7 * count_of(rows, classes) + 2.0 * rows) * sizeof(float), 30 * count_of(rows, classes)};
  }
};
KERNEL_FAMILY(DecoupledKl);

}  // namespace preceptor::kernels
