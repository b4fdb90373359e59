// Decoupled distillation on the cpu, in double.
#include "kernels/decoupled_kl/decoupled_kl.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/decoupled_kl/row.h"
#include "kernels/device/cpu_loops.h"

namespace preceptor::kernels {
namespace {

DecoupledSide side_of(const float* z, int classes, int label, double inverse) {
  double maximum = -std::numeric_limits<double>::infinity(), sum = 0;
  for (int i = 0; i < classes; ++i)
    if (i != label) maximum = std::max(maximum, static_cast<double>(z[i]));
  for (int i = 0; i < classes; ++i)
    if (i != label) sum += std::exp((static_cast<double>(z[i]) - maximum) * inverse);
  return {maximum, sum, static_cast<double>(z[label]), inverse};
}

}  // namespace

// mapping: rows over threads; bytes: student and teacher read, d_student written; operations: about 30 per entry;
// hazard: the probabilities of confident networks differ in digits that only the logs of the rests have: row.h.
void run_on(Cpu, const DecoupledKl& a) {
  const double temperature = static_cast<double>(a.temperature), scale = static_cast<double>(a.scale);
  const double of_target = static_cast<double>(a.of_target), of_others = static_cast<double>(a.of_others);
#pragma omp parallel for schedule(static) if (worth_threads(a.rows, a.classes, 4 * double_exponential))
  for (int row = 0; row < a.rows; ++row) {
    const std::size_t first = static_cast<std::size_t>(row) * a.classes;
    const float *student = a.student + first, *teacher = a.teacher + first;
    if (std::isnan(a.labels[row])) {
      std::fill_n(a.d_student + first, a.classes, 0.0f);
      a.loss[row] = 0;
      continue;
    }
    const int label = static_cast<int>(a.labels[row]);
    const double inverse = 1 / temperature;
    const DecoupledRow terms(side_of(student, a.classes, label, inverse), side_of(teacher, a.classes, label, inverse),
                             inverse);
    double others = 0;
    for (int i = 0; i < a.classes; ++i) {
      if (i == label) continue;
      const DecoupledRow::Class of_class =
          terms.of_class(static_cast<double>(student[i]), static_cast<double>(teacher[i]), of_target, of_others);
      others += of_class.divergence;
      a.d_student[first + i] = static_cast<float>(scale * temperature * of_class.derivative);
    }
    a.d_student[first + label] = static_cast<float>(scale * temperature * of_target * terms.excess);
    a.loss[row] =
        static_cast<float>(scale * temperature * temperature * (of_target * terms.target + of_others * others));
  }
}

}  // namespace preceptor::kernels
