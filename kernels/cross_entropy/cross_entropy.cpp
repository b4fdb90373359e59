// Losses on labels on the cpu: a row is a few plain loops, many rows are shared out among the threads.
#include "kernels/cross_entropy/cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "kernels/device/cpu_loops.h"

namespace preceptor::kernels {
namespace {

constexpr int exponential = 32;  // its time, in values of a loop that only moves memory

std::int64_t count_known(const float* values, std::int64_t count) {
  std::int64_t known = 0;
  for (std::int64_t i = 0; i < count; ++i) known += !std::isnan(values[i]);
  return known;
}

// Without a known value every loss is 0, and so is its weight.
float mean_weight(float weight, std::int64_t known) { return known > 0 ? weight / static_cast<float>(known) : 0.0f; }

}  // namespace

// mapping: rows over threads; bytes: logits read, d_logits written; operations: about 10 per entry; hazard: for a
// confident row log(sum) of a sum near 1 and p - 1 have no digits; the other classes are summed on their own instead.
void run_on(Cpu, const SoftmaxCrossEntropy<float>& a) {
  const float mean = mean_weight(a.weight, count_known(a.labels, a.rows));
#pragma omp parallel for schedule(static) if (worth_threads(a.rows, a.classes, exponential))
  for (int row = 0; row < a.rows; ++row) {
    const float* z = a.logits + static_cast<std::size_t>(row) * a.classes;
    float* d_z = a.d_logits + static_cast<std::size_t>(row) * a.classes;
    if (std::isnan(a.labels[row])) {
      a.loss[row] = 0;
      std::fill_n(d_z, a.classes, 0.0f);
      continue;
    }
    const float weight = a.row_weights ? mean * a.row_weights[row] : mean;
    const int label = static_cast<int>(a.labels[row]);
    const int best = static_cast<int>(std::max_element(z, z + a.classes) - z);
    // Subtracting the row maximum changes nothing in exact arithmetic and keeps exp() below 1.
    double below_best = 0, besides_label = 0;
    for (int i = 0; i < a.classes; ++i) {
      d_z[i] = std::exp(z[i] - z[best]);
      if (i != best) below_best += static_cast<double>(d_z[i]);
      if (i != label) besides_label += static_cast<double>(d_z[i]);
    }
    const double log_sum = std::log1p(below_best), factor = static_cast<double>(weight) / (1 + below_best);
    a.loss[row] = weight * static_cast<float>(log_sum + (static_cast<double>(z[best]) - static_cast<double>(z[label])));
    for (int i = 0; i < a.classes; ++i) d_z[i] = static_cast<float>(factor * static_cast<double>(d_z[i]));
    d_z[label] = static_cast<float>(-factor * besides_label);
  }
}

// mapping: rows over threads; bytes: logits and targets read, d_logits written; operations: about 12 per entry; hazard:
// exp() only of -|z|, so nothing overflows.
void run_on(Cpu, const BinaryCrossEntropy<float>& a) {
  const float weight = mean_weight(a.weight, count_known(a.targets, static_cast<std::int64_t>(a.rows) * a.labels));
#pragma omp parallel for schedule(static) if (worth_threads(a.rows, a.labels, exponential))
  for (int row = 0; row < a.rows; ++row) {
    double sum = 0;
    for (int label = 0; label < a.labels; ++label) {
      const std::size_t at = static_cast<std::size_t>(row) * a.labels + label;
      const float z = a.logits[at], target = a.targets[at];
      if (std::isnan(target)) {
        a.d_logits[at] = 0;
        continue;
      }
      // Summed as (1 - t) softplus(z) + t softplus(-z): no term is the small difference of large ones.
      const float small = std::exp(-std::abs(z)), logarithm = std::log1p(small);
      const float positive = std::max(z, 0.0f) + logarithm, negative = std::max(-z, 0.0f) + logarithm;
      sum += static_cast<double>((1 - target) * positive + target * negative);
      const float high = 1 / (1 + small), low = small / (1 + small);
      const float probability = z >= 0 ? high : low, complement = z >= 0 ? low : high;
      a.d_logits[at] = weight * ((1 - target) * probability - target * complement);
    }
    a.loss[row] = weight * static_cast<float>(sum);
  }
}

// mapping: rows over threads; bytes: logits read, probabilities written; operations: about 6 per entry.
void run_on(Cpu, const Softmax<float>& a) {
#pragma omp parallel for schedule(static) if (worth_threads(a.rows, a.classes, exponential))
  for (int row = 0; row < a.rows; ++row) {
    const float* z = a.logits + static_cast<std::size_t>(row) * a.classes;
    float* p = a.probabilities + static_cast<std::size_t>(row) * a.classes;
    const float maximum = *std::max_element(z, z + a.classes);
    double sum = 0;
    for (int i = 0; i < a.classes; ++i) {
      p[i] = std::exp(z[i] - maximum);
      sum += static_cast<double>(p[i]);
    }
    const float factor = static_cast<float>(1 / sum);
    for (int i = 0; i < a.classes; ++i) p[i] *= factor;
  }
}

// mapping: entries over threads; bytes: logits read, probabilities written; operations: about 4 per entry.
void run_on(Cpu, const Sigmoid<float>& a) {
#pragma omp parallel for schedule(static) if (worth_threads(a.count, 1, exponential))
  for (std::int64_t i = 0; i < a.count; ++i) {
    const float z = a.logits[i], small = std::exp(-std::abs(z));
    a.probabilities[i] = (z >= 0 ? 1 : small) / (1 + small);
  }
}

}  // namespace preceptor::kernels
