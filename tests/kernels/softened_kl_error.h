// Bound of the error of softened KL in float arithmetic: every rounding of the kernels' formula, row by row.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/compare.h"

namespace preceptor::test {

struct RowError {
  double loss = 0;
  std::vector<double> gradient;
};

// The roundings of `count` exponentials' sum, relative to it: sqrt(n) for the additions (compare.h), and in a long row
// 5 for each time that a maximum moved, at most once a piece of a thread (up to 4 while the block grows, then 1 in 4096
// classes) and twice when threads and warps are combined.
inline double sum_roundings(int classes) { return 4 + std::sqrt(classes) + 5 * (6 + classes / 4096.0); }

// Logits as the kernel reads them, one row of them. With u the roundoff of a float, x = (z - maximum) / T:
// - 2^(x log2(e) / T) has a relative error of u (4 |x| + 4): difference, product, the rounded log2(e) and its quotient
// by T
//   scale x, and exp2f itself may be off by two units in the last place;
// - d = log(q / p) = ((s - t) - (ms - mt)) / T - log(Zs / Zt) has an error of its own, `own`, and the errors of Zs and
// Zt;
// - the divergence sum p (e^d - 1 - d) sees the error of Zs as sum (q - p), which is 0, and that of Zt as the
// divergence
//   itself: only their squares are left. This is why that formula is used;
// - where |d| < 1/2 a term is p times a series in d, and `own` enters times q - p; the series is cut off at 0.7 u, has
// 2 u of
//   roundings and three products. Elsewhere it is q - p - p d.
inline RowError softened_kl_error(const double* student, const double* teacher, int classes, double temperature) {
  constexpr double u = float_roundoff, smallest = std::numeric_limits<float>::denorm_min();
  const double ms = *std::max_element(student, student + classes), mt = *std::max_element(teacher, teacher + classes);
  const auto x_of = [&](double z, double maximum) { return (z - maximum) / temperature; };
  const auto exponential = [&](double x) { return u * (4 * std::abs(x) + 4); };
  double zs = 0, zt = 0, error_zs = 0, error_zt = 0;
  for (int i = 0; i < classes; ++i) {
    const double xs = x_of(student[i], ms), xt = x_of(teacher[i], mt);
    zs += std::exp(xs);
    zt += std::exp(xt);
    error_zs += std::exp(xs) * exponential(xs);
    error_zt += std::exp(xt) * exponential(xt);
  }
  error_zs = error_zs / zs + u * sum_roundings(classes);
  error_zt = error_zt / zt + u * sum_roundings(classes);
  const double log_ratio = std::log(zs / zt);

  RowError error;
  error.gradient.resize(static_cast<std::size_t>(classes));
  double divergence = 0;
  for (int i = 0; i < classes; ++i) {
    const double xs = x_of(student[i], ms), xt = x_of(teacher[i], mt);
    const double q = std::exp(xs) / zs, p = std::exp(xt) / zt;
    const double difference = xs - xt, d = difference - log_ratio;
    // expm1(d) - d is the small term here; its own cancellation, 1e-16, is far below u.
    const double excess = std::abs(d) < 300 ? std::expm1(d) - d : 0;
    const double term = std::abs(d) < 300 ? p * excess : q - p - p * d;
    divergence += term;
    const double error_q = exponential(xs) + 2 * u, error_p = exponential(xt) + 2 * u;
    const double own = u * (std::abs(student[i] - teacher[i]) / temperature + std::abs(ms - mt) / temperature +
                            2 * std::abs(difference) + std::abs(d) + 1 + 2 * std::abs(log_ratio));
    double loss = 0, gradient = q * error_zs + p * error_zt;
    if (std::abs(d) < 0.51) {  // the kernel's d decides between the two
      loss += std::abs(q - p) * own + term * (error_p + 6 * u);
      gradient += q * own + std::abs(q - p) * (error_p + 5 * u);
    }
    if (std::abs(d) > 0.49) {
      loss += q * error_q + p * error_p * (1 + std::abs(d)) + p * own + 2 * u * (q + p + p * std::abs(d));
      gradient += q * error_q + p * error_p + u * std::abs(q - p);
    }
    // Probabilities near the smallest float are rounded to its spacing.
    loss += 8 * smallest * (1 + std::abs(d));
    gradient += 8 * smallest;
    error.loss += loss;
    error.gradient[static_cast<std::size_t>(i)] = temperature * (gradient + 4 * u * std::abs(q - p)) + 4 * smallest;
  }
  error.loss += divergence * error_zt + (error_zs + error_zt) * (error_zs + error_zt);
  error.loss += u * (8 + std::sqrt(classes)) * divergence;
  error.loss = temperature * temperature * error.loss + 4 * smallest;
  return error;
}

// The same for -log softmax(student)[label]: with A the sum of the other classes' exponentials, log1p(A) where the
// label is the best class and log(A + exp(x)) - x elsewhere. Label -1: none, and the gradient is the softmax itself.
inline RowError hard_loss_error(const double* student, int classes, int label) {
  constexpr double u = float_roundoff, smallest = std::numeric_limits<float>::denorm_min();
  const double maximum = *std::max_element(student, student + classes);
  const auto exponential = [&](double x) { return u * (3 * std::abs(x) + 4); };
  double others = 0, error_others = 0;
  for (int i = 0; i < classes; ++i) {
    if (i == label) continue;
    const double x = student[i] - maximum;
    others += std::exp(x);
    error_others += std::exp(x) * (exponential(x) + u * sum_roundings(classes)) + smallest;
  }
  const double below = label < 0 ? 0 : student[label] - maximum, of_label = label < 0 ? 0 : std::exp(below);
  const double sum = others + of_label;
  const double error_sum = (error_others + of_label * exponential(below)) / sum + u;
  RowError error;
  error.gradient.resize(static_cast<std::size_t>(classes));
  if (below == 0) {
    error.loss = error_others / (1 + others) + 6 * u * std::log1p(others) + smallest;
  } else {
    const double logarithm = std::log(sum);
    error.loss = error_sum + 2 * u * logarithm + u * std::abs(below) + 4 * u * (logarithm - below);
  }
  for (int i = 0; i < classes; ++i) {
    const double x = student[i] - maximum;
    error.gradient[static_cast<std::size_t>(i)] = i == label ? error_others / sum + others / sum * (error_sum + 5 * u)
                                                             : std::exp(x) / sum * (exponential(x) + error_sum + 7 * u);
    error.gradient[static_cast<std::size_t>(i)] += 4 * smallest;
  }
  return error;
}

}  // namespace preceptor::test
