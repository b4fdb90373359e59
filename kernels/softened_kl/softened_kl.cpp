// Distillation on softened logits on the cpu, in double: at a high temperature the terms nearly cancel.
#include "kernels/softened_kl/softened_kl.h"

#include <algorithm>
#include <cmath>

#include "kernels/device/cpu_loops.h"

namespace preceptor::kernels {
namespace {

// log(sum of exp(z / T)) = maximum / T + logarithm, kept apart: rows with equal logits then differ by exactly nothing.
struct LogSumExp {
  double maximum, logarithm;
  LogSumExp(const float* z, int count, double inverse_temperature) {
    // Subtracting the row maximum changes nothing in exact arithmetic and keeps exp() below 1.
    maximum = static_cast<double>(*std::max_element(z, z + count));
    double sum = 0;
    for (int i = 0; i < count; ++i) sum += std::exp((static_cast<double>(z[i]) - maximum) * inverse_temperature);
    logarithm = std::log(sum);
  }
};

// -log softmax(z)[label] and its derivatives.
struct HardLoss {
  double maximum = 0, others = 0, sum = 1, loss = 0;
  int label = -1;

  HardLoss() = default;
  HardLoss(const float* z, int classes, int of) : label(of) {
    maximum = static_cast<double>(*std::max_element(z, z + classes));
    for (int i = 0; i < classes; ++i)
      if (i != label) others += std::exp(static_cast<double>(z[i]) - maximum);
    const double below = static_cast<double>(z[label]) - maximum;
    sum = others + std::exp(below);
    // If the label is the best class, its own 1 would take the digits of the others.
    loss = below < 0 ? std::log(sum) - below : std::log1p(others);
  }
  double gradient(double z, int i) const { return (i == label ? -others : std::exp(z - maximum)) / sum; }
};

}  // namespace

// mapping: rows over threads; bytes: student and teacher read, d_student written; operations: about 20 per entry and 10
// more with labels; hazard: at T = 100 the terms p log(p / q) cancel to 1e-5 of their size, which T^2 makes visible:
// hence double. The label's derivative is the sum of the other classes, because p - 1 has no digits in a confident row.
void run_on(Cpu, const SoftenedKl<float>& a) {
  const double scale = static_cast<double>(a.scale);
#pragma omp parallel for schedule(static) if (worth_threads(a.rows, a.classes, 4 * double_exponential))
  for (int row = 0; row < a.rows; ++row) {
    const std::size_t first = static_cast<std::size_t>(row) * a.classes;
    const float *student = a.student + first, *teacher = a.teacher + first;
    const double temperature = static_cast<double>(a.row_temperature ? a.row_temperature[row] : a.temperature);
    const double inverse = 1 / temperature;
    const LogSumExp of_student(student, a.classes, inverse), of_teacher(teacher, a.classes, inverse);
    const double distance = of_teacher.maximum - of_student.maximum;
    const double log_ratio = of_teacher.logarithm - of_student.logarithm;
    const bool labelled = a.labels && !std::isnan(a.labels[row]);
    const HardLoss hard = labelled ? HardLoss(student, a.classes, static_cast<int>(a.labels[row])) : HardLoss();
    const double hard_scale = labelled ? static_cast<double>(a.hard_scale) : 0;
    double divergence = 0;
    for (int i = 0; i < a.classes; ++i) {
      const double t = static_cast<double>(teacher[i]), s = static_cast<double>(student[i]);
      const double p = std::exp((t - of_teacher.maximum) * inverse - of_teacher.logarithm);
      const double q = std::exp((s - of_student.maximum) * inverse - of_student.logarithm);
      // log(p / q), with the exact difference first: equal logits cost exactly nothing.
      divergence += p * (((t - s) - distance) * inverse - log_ratio);
      double gradient = scale * temperature * (q - p);
      if (labelled) gradient += hard_scale * hard.gradient(s, i);
      a.d_student[first + i] = static_cast<float>(gradient);
    }
    a.loss[row] = static_cast<float>(scale * temperature * temperature * divergence + hard_scale * hard.loss);
  }
}

// mapping: rows over threads; bytes: student, teacher and targets read, d_student written; operations: about 30 per
// entry; hazard: as above; nothing is computed from 1 - p, which has no digits for a confident teacher.
void run_on(Cpu, const SoftenedBinaryKl<float>& a) {
  const std::size_t entries = static_cast<std::size_t>(a.rows) * a.labels;
  std::size_t known = a.targets ? 0 : entries;
  if (a.targets)
    for (std::size_t i = 0; i < entries; ++i) known += !std::isnan(a.targets[i]);
  const double temperature = static_cast<double>(a.temperature), inverse = 1 / temperature;
  const double scale = known > 0 ? static_cast<double>(a.weight) / static_cast<double>(known) : 0;
#pragma omp parallel for schedule(static) if (worth_threads(entries, 1, 4 * double_exponential))
  for (int row = 0; row < a.rows; ++row) {
    double divergence = 0;
    for (int label = 0; label < a.labels; ++label) {
      const std::size_t at = static_cast<std::size_t>(row) * a.labels + label;
      a.d_student[at] = 0;
      if (a.targets && std::isnan(a.targets[at])) continue;
      // Flipping both logits exchanges yes and no: the teacher always holds no for unlikely, and the derivative of what
      // is unlikely has the digits. Else as a softmax over the logits {z, 0}.
      const double flip = std::copysign(1.0, static_cast<double>(a.teacher[at]));
      const double t = flip * static_cast<double>(a.teacher[at]), s = flip * static_cast<double>(a.student[at]);
      const double small_t = std::exp(-t * inverse), small_s = std::exp(-std::abs(s) * inverse);
      const double yes = 1 / (1 + small_t), no = small_t / (1 + small_t);
      const double student_no = (s < 0 ? 1 : small_s) / (1 + small_s);
      const double log_ratio = std::log1p(small_t) - std::log1p(small_s);
      const double target = a.targets ? static_cast<double>(a.targets[at]) : 1;
      const double share = target * static_cast<double>(a.of_present) + (1 - target) * static_cast<double>(a.of_absent);
      divergence += share * (yes * (-std::min(s, 0.0) * inverse - log_ratio) +
                             no * ((std::max(s, 0.0) - t) * inverse - log_ratio));
      a.d_student[at] = static_cast<float>(share * scale * temperature * flip * (no - student_no));
    }
    a.loss[row] = static_cast<float>(scale * temperature * temperature * divergence);
  }
}

}  // namespace preceptor::kernels
