// Images grouped by patient, and patients drawn into subsets that keep the frequencies of labels.
#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"
#include "data/random.h"

namespace preceptor {

// The patients of the images, numbered from 0 by the column `patient` (numbered_values).
struct Patients {
  int count = 0;
  std::vector<std::int32_t> of;  // [images]
};
Patients patients_of(const Split& split);

// Divides the images of a split into subsets of about these fractions (they add up to 1), by whole patients and with
// every label spread as evenly as whole patients allow: iterative stratification (Sechidis, Tsoumakas, Vlahavas 2011,
// "On the Stratification of Multi-Label Data"), with patients in place of examples. For findings only the label 1
// counts. Returns the subset of each image.
std::vector<std::int32_t> draw_fractions(const Split& split, Task task, int outputs,
                                         const std::vector<double>& fractions, RandomStream random);

// All images, grouped by patient; patients in a random order.
std::vector<std::int32_t> patient_order(const Split& split, RandomStream random);

}  // namespace preceptor
