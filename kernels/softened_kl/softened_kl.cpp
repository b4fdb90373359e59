// Distillation losses on the cpu: rows are a few numbers, so each is finished in one go.
#include "kernels/softened_kl/softened_kl.h"

#include <algorithm>
#include <cmath>

#include "kernels/device/lanes.h"

namespace preceptor::kernels {
namespace {

// log of the sum of exp(logits / T). Subtracting the maximum changes nothing in exact arithmetic and keeps exp()
// below 1.
double log_sum(const float* logits, int classes, double inverse_temperature) {
  const double largest = static_cast<double>(*std::max_element(logits, logits + classes)) * inverse_temperature;
  double sum = 0;
  for (int c = 0; c < classes; ++c) sum += std::exp(static_cast<double>(logits[c]) * inverse_temperature - largest);
  return largest + std::log(sum);
}

// Mapping: one row. Bytes: student and teacher read, d_student written, 12 per class. In double: for large T the loss
// is a small difference of nearly equal logarithms. d loss / d student = scale T (q - p).
void kl_row(const SoftenedKl& a, int row) {
  const float* student = a.student + static_cast<std::size_t>(row) * a.classes;
  const float* teacher = a.teacher + static_cast<std::size_t>(row) * a.classes;
  float* d_student = a.d_student + static_cast<std::size_t>(row) * a.classes;
  const double temperature = static_cast<double>(a.temperature), inverse = 1 / temperature,
               scale = static_cast<double>(a.scale);
  const double student_sum = log_sum(student, a.classes, inverse), teacher_sum = log_sum(teacher, a.classes, inverse);
  double divergence = 0;
  for (int c = 0; c < a.classes; ++c) {
    const double log_p = static_cast<double>(teacher[c]) * inverse - teacher_sum;
    const double log_q = static_cast<double>(student[c]) * inverse - student_sum;
    const double p = std::exp(log_p);
    // p is 0 long before log_q overflows, and 0 times a large finite number is 0.
    divergence += p * (log_p - log_q);
    d_student[c] = static_cast<float>(scale * temperature * (std::exp(log_q) - p));
  }
  a.loss[row] = static_cast<float>(scale * temperature * temperature * divergence);
}

// log(sigmoid(x)) without overflow; log(1 - sigmoid(x)) is log_sigmoid(-x).
double log_sigmoid(double x) { return std::min(x, 0.0) - std::log1p(std::exp(-std::abs(x))); }

}  // namespace

Cost cost(const SoftenedKl& a) {
  const double elements = static_cast<double>(a.rows) * a.classes;
  return {12 * elements + 4.0 * a.rows, 20 * elements};
}

void run_on(Cpu, const SoftenedKl& a) {
#pragma omp parallel for schedule(static) if (static_cast <std::size_t>(a.rows) * a.classes >= parallel_from)
  for (int row = 0; row < a.rows; ++row) kl_row(a, row);
}

Cost cost(const SoftenedBinaryKl& a) {
  const double elements = static_cast<double>(a.rows) * a.labels;
  return {(a.targets ? 16 : 12) * elements + 4.0 * a.rows, 30 * elements};
}

// Mapping: all rows in one thread, a batch of labels is a few hundred numbers. The number of known labels is counted
// first; with none the loss and all derivatives are 0. d loss / d student = weight / known T (q - p).
void run_on(Cpu, const SoftenedBinaryKl& a) {
  const std::int64_t elements = static_cast<std::int64_t>(a.rows) * a.labels;
  const auto is_known = [&](std::int64_t i) { return a.targets == nullptr || !std::isnan(a.targets[i]); };
  std::int64_t known = 0;
  for (std::int64_t i = 0; i < elements; ++i) known += is_known(i);
  const double scale = known > 0 ? static_cast<double>(a.weight) / static_cast<double>(known) : 0;
  const double temperature = static_cast<double>(a.temperature);
  for (int row = 0; row < a.rows; ++row) {
    double loss = 0;
    for (std::int64_t i = static_cast<std::int64_t>(row) * a.labels; i < (row + std::int64_t{1}) * a.labels; ++i) {
      a.d_student[i] = 0;
      if (!is_known(i)) continue;
      const double s = static_cast<double>(a.student[i]) / temperature,
                   t = static_cast<double>(a.teacher[i]) / temperature;
      const double p = std::exp(log_sigmoid(t)), not_p = std::exp(log_sigmoid(-t));
      loss += p * (log_sigmoid(t) - log_sigmoid(s)) + not_p * (log_sigmoid(-t) - log_sigmoid(-s));
      a.d_student[i] = static_cast<float>(scale * temperature * (std::exp(log_sigmoid(s)) - p));
    }
    a.loss[row] = static_cast<float>(scale * temperature * temperature * loss);
  }
}

}  // namespace preceptor::kernels
