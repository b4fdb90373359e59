// Distillation on softened logits on the cpu, in double: at a high temperature the terms nearly cancel.
#include "kernels/softened_kl/softened_kl.h"

#include <algorithm>
#include <cmath>

#include "kernels/device/lanes.h"

namespace preceptor::kernels {
namespace {

constexpr int exponential = 16;  // its time, in values of a loop that only moves memory

// log(sum of exp(z / T)).
double log_sum_exp(const float* z, int count, double inverse_temperature) {
  // Subtracting the row maximum changes nothing in exact arithmetic and keeps exp() below 1.
  const double maximum = static_cast<double>(*std::max_element(z, z + count));
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += std::exp((static_cast<double>(z[i]) - maximum) * inverse_temperature);
  return std::log(sum) + maximum * inverse_temperature;
}

// A probability, its complement and their logarithms, from a logit.
struct Binary {
  double one, zero, log_one, log_zero;
  explicit Binary(double z) {
    const double small = std::exp(-std::abs(z)), logarithm = std::log1p(small);
    const double high = 1 / (1 + small), low = small / (1 + small);
    one = z >= 0 ? high : low;
    zero = z >= 0 ? low : high;
    log_one = std::min(z, 0.0) - logarithm;
    log_zero = std::min(-z, 0.0) - logarithm;
  }
};

}  // namespace

// mapping: rows over threads; bytes: student and teacher read, d_student written; operations: about 20 per entry;
// hazard: at T = 100 the terms p log(p / q) cancel to 1e-5 of their size, which T^2 makes visible: hence double.
void run_on(Cpu, const SoftenedKl& a) {
  const double temperature = static_cast<double>(a.temperature), inverse = 1 / temperature;
  const double scale = static_cast<double>(a.scale);
#pragma omp parallel for schedule(static) if (worth_threads(a.rows, a.classes, 4 * exponential))
  for (int row = 0; row < a.rows; ++row) {
    const std::size_t first = static_cast<std::size_t>(row) * a.classes;
    const float *student = a.student + first, *teacher = a.teacher + first;
    const double log_student = log_sum_exp(student, a.classes, inverse);
    const double log_teacher = log_sum_exp(teacher, a.classes, inverse);
    double divergence = 0;
    for (int i = 0; i < a.classes; ++i) {
      const double t = static_cast<double>(teacher[i]), s = static_cast<double>(student[i]);
      const double p = std::exp(t * inverse - log_teacher), q = std::exp(s * inverse - log_student);
      // log(p / q), with the exact difference first: equal logits cost exactly nothing.
      divergence += p * ((t - s) * inverse - (log_teacher - log_student));
      a.d_student[first + i] = static_cast<float>(scale * temperature * (q - p));
    }
    a.loss[row] = static_cast<float>(scale * temperature * temperature * divergence);
  }
}

// mapping: rows over threads; bytes: student, teacher and targets read, d_student written; operations: about 30 per
// entry; hazard: as above; log(1 - p) is taken from the logit, 1 - p has no digits for a confident teacher.
void run_on(Cpu, const SoftenedBinaryKl& a) {
  const std::size_t entries = static_cast<std::size_t>(a.rows) * a.labels;
  std::size_t known = a.targets ? 0 : entries;
  if (a.targets)
    for (std::size_t i = 0; i < entries; ++i) known += !std::isnan(a.targets[i]);
  const double temperature = static_cast<double>(a.temperature), inverse = 1 / temperature;
  const double scale = known > 0 ? static_cast<double>(a.weight) / static_cast<double>(known) : 0;
#pragma omp parallel for schedule(static) if (worth_threads(entries, 1, 4 * exponential))
  for (int row = 0; row < a.rows; ++row) {
    double divergence = 0;
    for (int label = 0; label < a.labels; ++label) {
      const std::size_t at = static_cast<std::size_t>(row) * a.labels + label;
      a.d_student[at] = 0;
      if (a.targets && std::isnan(a.targets[at])) continue;
      const Binary p(static_cast<double>(a.teacher[at]) * inverse), q(static_cast<double>(a.student[at]) * inverse);
      divergence += p.one * (p.log_one - q.log_one) + p.zero * (p.log_zero - q.log_zero);
      a.d_student[at] = static_cast<float>(scale * temperature * (q.one * p.zero - p.one * q.zero));
    }
    a.loss[row] = static_cast<float>(scale * temperature * temperature * divergence);
  }
}

Cost cost(const SoftenedKl& a) {
  const double entries = static_cast<double>(a.rows) * a.classes;
  return {(3 * entries + a.rows) * sizeof(float), 20 * entries};
}
Cost cost(const SoftenedBinaryKl& a) {
  const double entries = static_cast<double>(a.rows) * a.labels;
  return {((a.targets ? 4 : 3) * entries + a.rows) * sizeof(float), 30 * entries};
}

}  // namespace preceptor::kernels
