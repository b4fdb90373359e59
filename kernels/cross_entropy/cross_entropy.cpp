// Losses on labels, and probabilities, on the cpu: rows are a few numbers, so each is finished in one go.
#include "kernels/cross_entropy/cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "kernels/device/lanes.h"

namespace preceptor::kernels {
namespace {

// probabilities = softmax(logits); returns log of the sum of exp(logits). May be in place.
// Subtracting the maximum changes nothing in exact arithmetic and keeps exp() below 1.
double softmax_row(const float* logits, float* probabilities, int classes) {
  const float largest = *std::max_element(logits, logits + classes);
  double sum = 0;
  for (int c = 0; c < classes; ++c) {
    probabilities[c] = std::exp(logits[c] - largest);
    sum += static_cast<double>(probabilities[c]);
  }
  for (int c = 0; c < classes; ++c) probabilities[c] = static_cast<float>(static_cast<double>(probabilities[c]) / sum);
  return static_cast<double>(largest) + std::log(sum);
}

template <class Known>
double weight_per_known(float weight, std::int64_t count, const Known& is_known) {
  std::int64_t known = 0;
  for (std::int64_t i = 0; i < count; ++i) known += is_known(i);
  return known > 0 ? static_cast<double>(weight) / static_cast<double>(known) : 0;
}

}  // namespace

Cost cost(const SoftmaxCrossEntropy& a) {
  const double elements = static_cast<double>(a.rows) * a.classes;
  return {8 * elements + 8.0 * a.rows, 8 * elements};
}

// Mapping: a row per thread at a time. Bytes: logits read, d_logits written. d = scale (softmax - one-hot).
void run_on(Cpu, const SoftmaxCrossEntropy& a) {
  const double scale = weight_per_known(a.weight, a.rows, [&](std::int64_t i) { return !std::isnan(a.labels[i]); });
#pragma omp parallel for schedule(static) if (static_cast <std::size_t>(a.rows) * a.classes >= parallel_from)
  for (int row = 0; row < a.rows; ++row) {
    const float* logits = a.logits + static_cast<std::size_t>(row) * a.classes;
    float* d_logits = a.d_logits + static_cast<std::size_t>(row) * a.classes;
    a.loss[row] = 0;
    if (std::isnan(a.labels[row])) {
      std::fill_n(d_logits, a.classes, 0.0f);
      continue;
    }
    const int label = static_cast<int>(a.labels[row]);
    const double log_sum = softmax_row(logits, d_logits, a.classes);
    a.loss[row] = static_cast<float>(scale * (log_sum - static_cast<double>(logits[label])));
    d_logits[label] -= 1.0f;
    for (int c = 0; c < a.classes; ++c) d_logits[c] *= static_cast<float>(scale);
  }
}

Cost cost(const BinaryCrossEntropy& a) {
  const double elements = static_cast<double>(a.rows) * a.labels;
  return {12 * elements + 4.0 * a.rows, 12 * elements};
}

// Mapping: all rows in one thread, a batch of labels is a few hundred numbers. d = scale (sigmoid(z) - t).
void run_on(Cpu, const BinaryCrossEntropy& a) {
  const std::int64_t elements = static_cast<std::int64_t>(a.rows) * a.labels;
  const double scale = weight_per_known(a.weight, elements, [&](std::int64_t i) { return !std::isnan(a.targets[i]); });
  for (int row = 0; row < a.rows; ++row) {
    double loss = 0;
    for (std::int64_t i = static_cast<std::int64_t>(row) * a.labels; i < (row + std::int64_t{1}) * a.labels; ++i) {
      a.d_logits[i] = 0;
      if (std::isnan(a.targets[i])) continue;
      const double z = static_cast<double>(a.logits[i]), target = static_cast<double>(a.targets[i]);
      const double small = std::exp(-std::abs(z));  // never overflows
      loss += std::max(z, 0.0) - z * target + std::log1p(small);
      a.d_logits[i] = static_cast<float>(scale * ((z >= 0 ? 1 : small) / (1 + small) - target));
    }
    a.loss[row] = static_cast<float>(scale * loss);
  }
}

Cost cost(const Softmax& a) {
  const double elements = static_cast<double>(a.rows) * a.classes;
  return {8 * elements, 5 * elements};
}

void run_on(Cpu, const Softmax& a) {
#pragma omp parallel for schedule(static) if (static_cast <std::size_t>(a.rows) * a.classes >= parallel_from)
  for (int row = 0; row < a.rows; ++row)
    softmax_row(a.logits + static_cast<std::size_t>(row) * a.classes,
                a.probabilities + static_cast<std::size_t>(row) * a.classes, a.classes);
}

Cost cost(const Sigmoid& a) { return {8.0 * static_cast<double>(a.count), 4.0 * static_cast<double>(a.count)}; }

void run_on(Cpu, const Sigmoid& a) {
#pragma omp parallel for schedule(static) if (static_cast <std::size_t>(a.count) >= parallel_from)
  for (std::int64_t i = 0; i < a.count; ++i) a.probabilities[i] = 1.0f / (1.0f + std::exp(-a.logits[i]));
}

}  // namespace preceptor::kernels
