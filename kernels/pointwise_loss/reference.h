// Losses on differences as plain loops: the specification that every device is tested against.
#pragma once

#include <cmath>
#include <vector>

#include "kernels/cross_entropy/reference.h"
#include "kernels/pointwise_loss/pointwise_loss.h"

namespace preceptor::kernels::reference {

// The loss of one place as the papers write it, and its derivative by s.
template <class T>
std::pair<T, T> difference_term(PointwiseLossKind kind, T s, T t, T p) {
  const T x = s - t;
  switch (kind) {
    case PointwiseLossKind::square:
      return {x * x, 2 * x};
    case PointwiseLossKind::correlation: {
      const auto k = [&](T g) { return std::exp(-2 * p) * (1 + 2 * p * g + 4 * p * p * g * g / 2); };
      return {(k(s) - k(t)) * (k(s) - k(t)), 2 * (k(s) - k(t)) * std::exp(-2 * p) * (2 * p + 4 * p * p * s)};
    }
    case PointwiseLossKind::boundary:
      if (t > 0 && s <= p) return {(s - p) * (s - p), 2 * (s - p)};
      if (t <= 0 && s > -p) return {(s + p) * (s + p), 2 * (s + p)};
      return {T(0), T(0)};
    case PointwiseLossKind::partial:
      if (s > t || t > 0) return {x * x, 2 * x};
      return {T(0), T(0)};
    case PointwiseLossKind::absolute:
      return {std::abs(x), static_cast<T>((x > 0) - (x < 0))};
  }
  return {};
}

// teacher: as long as student, or empty for zeros.
template <class T>
LossAndGradient<T> pointwise_loss(PointwiseLossKind kind, int rows, int columns, const std::vector<T>& student,
                                  const std::vector<T>& teacher, T scale, T parameter) {
  LossAndGradient<T> result{std::vector<T>(rows, T(0)), std::vector<T>(student.size(), T(0))};
  for (std::size_t i = 0; i < student.size(); ++i) {
    const auto [loss, derivative] = difference_term(kind, student[i], teacher.empty() ? T(0) : teacher[i], parameter);
    result.loss[i / columns] += scale * loss;
    result.gradient[i] = scale * derivative;
  }
  return result;
}

}  // namespace preceptor::kernels::reference
