// Images grouped by patient, and patients drawn into shares that keep the frequencies of labels.
#pragma once

#include <cstdint>
#include <vector>

#include "data/dataset.h"
#include "data/random.h"

namespace preceptor {

// Which patient each image shows: numbers from 0 in the order of first appearance, by the column `patient`. An image
// whose patient is unknown is a patient of its own.
struct Patients {
  int count = 0;
  std::vector<std::int32_t> of;  // [images]
};
Patients patients_of(const Split& split);

// Divides the images of a split into shares of about these fractions of the images (they add up to 1), whole patients
// each, and every label as evenly as whole patients allow: iterative stratification (Sechidis, Tsoumakas, Vlahavas
// 2011, "On the Stratification of Multi-Label Data"), with patients in place of examples. Of labels only 1 counts, of
// classes each. Returns the share of each image.
std::vector<std::int32_t> draw_shares(const Split& split, Task task, int outputs, const std::vector<double>& fractions,
                                      RandomStream random);

// All images in an order in which those of a patient follow one another; patients in a random order.
std::vector<std::int32_t> patient_order(const Split& split, RandomStream random);

}  // namespace preceptor
