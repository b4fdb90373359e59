// Distillation on logits softened by a temperature: over classes (softmax), and per label for multi-label outputs.
#pragma once

#include "kernels/device/device.h"

namespace preceptor::kernels {

// Hinton et al. 2015: T^2 KL(softmax(teacher / T) || softmax(student / T)), loss and gradient in one launch.
struct SoftenedKl {
  static constexpr const char* name = "softened_kl";
  const float* student;  // [rows, classes] logits
  const float* teacher;  // [rows, classes] logits
  float* loss;        // [rows] scale * T^2 * KL; the mean over the batch when scale is 1 / rows and the rows are added
  float* d_student;   // [rows, classes] d loss[row] / d student
  int rows, classes;  // classes >= 1
  float temperature;  // > 0
  float scale;        // weight of the term, usually weight / rows
};
Cost cost(const SoftenedKl& arguments);
void run_on(Cpu, const SoftenedKl& arguments);

// The multi-label form: each label is a binary distribution, p = sigmoid(teacher / T), q = sigmoid(student / T), and
// the loss is T^2 [p log(p / q) + (1 - p) log((1 - p) / (1 - q))], averaged over the entries whose target is known.
struct SoftenedBinaryKl {
  static constexpr const char* name = "softened_binary_kl";
  const float* student;  // [rows, labels] logits
  const float* teacher;  // [rows, labels] logits
  const float* targets;  // [rows, labels]; a NaN marks an unknown label, left out here too; nullptr: all count
  float* loss;           // [rows] weight / known * sum over the row's known labels; known is counted over all rows
  float* d_student;      // [rows, labels] d (sum of loss) / d student; 0 where unknown
  int rows, labels;
  float temperature;  // > 0
  float weight;
};
Cost cost(const SoftenedBinaryKl& arguments);
void run_on(Cpu, const SoftenedBinaryKl& arguments);

}  // namespace preceptor::kernels
