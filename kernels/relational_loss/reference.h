// Relations as the papers define them, in plain loops: the specification that every device is tested against.
#pragma once

#include <cmath>
#include <vector>

#include "kernels/cross_entropy/reference.h"
#include "kernels/relational_loss/relational_loss.h"

namespace preceptor::kernels::reference {

template <class T>
std::vector<T> squared_distances(int rows, int columns, const std::vector<T>& x) {
  std::vector<T> distances(static_cast<std::size_t>(rows) * rows, T(0));
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < rows; ++j)
      for (int c = 0; c < columns; ++c) {
        const T d = x[static_cast<std::size_t>(i) * columns + c] - x[static_cast<std::size_t>(j) * columns + c];
        distances[static_cast<std::size_t>(i) * rows + j] += d * d;
      }
  return distances;
}

template <class T>
std::vector<T> squared_distances_backward(int rows, int columns, const std::vector<T>& x,
                                          const std::vector<T>& d_distances) {
  std::vector<T> d_x(x.size(), T(0));
  for (int i = 0; i < rows; ++i)
    for (int j = 0; j < rows; ++j)
      for (int c = 0; c < columns; ++c) {
        const std::size_t a = static_cast<std::size_t>(i) * columns + c, b = static_cast<std::size_t>(j) * columns + c;
        const T derivative = 2 * (x[a] - x[b]) * d_distances[static_cast<std::size_t>(i) * rows + j];
        d_x[a] += derivative;
        d_x[b] -= derivative;
      }
  return d_x;
}

template <class T>
std::pair<T, T> huber_of(T x) {
  return std::abs(x) <= 1 ? std::pair<T, T>{x * x / 2, x}
                          : std::pair<T, T>{std::abs(x) - T(0.5), std::copysign(T(1), x)};
}

template <class T>
LossAndGradient<T> distance_relation(int n, const std::vector<T>& student, const std::vector<T>& teacher, T weight) {
  LossAndGradient<T> result{std::vector<T>(n, T(0)), std::vector<T>(student.size(), T(0))};
  if (n < 2) return result;
  const T pairs = static_cast<T>(n) * (n - 1), scale = weight / (static_cast<T>(n) * n);
  const auto distance = [&](const std::vector<T>& squares, int at) {
    return at / n == at % n ? T(0) : std::max(std::sqrt(squares[at]), T(1e-6));
  };
  T of_student = 0, of_teacher = 0, common = 0;
  for (int at = 0; at < n * n; ++at)
    of_student += distance(student, at) / pairs, of_teacher += distance(teacher, at) / pairs;
  const auto term = [&](int at) {
    return huber_of(distance(student, at) / of_student - distance(teacher, at) / of_teacher);
  };
  for (int at = 0; at < n * n; ++at) {
    result.loss[at / n] += scale * term(at).first;
    common += term(at).second * distance(student, at) / (of_student * of_student * pairs);
  }
  for (int at = 0; at < n * n; ++at)
    if (at / n != at % n && std::sqrt(student[at]) > T(1e-6))
      result.gradient[at] = scale * (term(at).second / of_student - common) / (2 * distance(student, at));
  return result;
}

// By the chain rule over all triples, as independent of each other as the paper writes them.
template <class T>
LossAndGradient<T> angle_relation(int n, const std::vector<T>& student, const std::vector<T>& teacher, T weight) {
  LossAndGradient<T> result{std::vector<T>(n, T(0)), std::vector<T>(student.size(), T(0))};
  const T scale = weight / (static_cast<T>(n) * n * n);
  const auto at = [n](int i, int j) { return static_cast<std::size_t>(i) * n + j; };
  const auto cosine = [&](const std::vector<T>& d, int i, int j, int k) {
    const T size = std::sqrt(d[at(i, j)]) * std::sqrt(d[at(i, k)]);
    return i == j || i == k || size == 0 ? T(0) : (d[at(i, j)] + d[at(i, k)] - d[at(j, k)]) / (2 * size);
  };
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j)
      for (int k = 0; k < n; ++k) {
        const T own = cosine(student, i, j, k);
        const auto [loss, slope] = huber_of(own - cosine(teacher, i, j, k));
        result.loss[i] += scale * loss;
        const T ij = student[at(i, j)], ik = student[at(i, k)], size = std::sqrt(ij) * std::sqrt(ik);
        if (i == j || i == k || j == k || size == 0) continue;
        result.gradient[at(i, j)] += scale * slope * (1 / (2 * size) - own / (2 * ij));
        result.gradient[at(i, k)] += scale * slope * (1 / (2 * size) - own / (2 * ik));
        result.gradient[at(j, k)] -= scale * slope / (2 * size);
      }
  return result;
}

template <class T>
LossAndGradient<T> similarity_relation(int n, const std::vector<T>& student, const std::vector<T>& teacher, T weight) {
  LossAndGradient<T> result{std::vector<T>(n, T(0)), std::vector<T>(student.size(), T(0))};
  const T scale = weight / (static_cast<T>(n) * n), epsilon = T(1e-7);
  for (int i = 0; i < n; ++i) {
    const std::size_t first = static_cast<std::size_t>(i) * n;
    T student_sum = 0, teacher_sum = 0, mean = 0;
    for (int j = 0; j < n; ++j)
      student_sum += (student[first + j] + 1) / 2, teacher_sum += (teacher[first + j] + 1) / 2;
    const auto s = [&](int j) { return (student[first + j] + 1) / 2 / student_sum; };
    const auto t = [&](int j) { return (teacher[first + j] + 1) / 2 / teacher_sum; };
    for (int j = 0; j < n; ++j) {
      result.loss[i] += scale * t(j) * std::log((t(j) + epsilon) / (s(j) + epsilon));
      mean -= t(j) / (s(j) + epsilon) * s(j);
    }
    for (int j = 0; j < n; ++j)
      result.gradient[first + j] = scale * (-t(j) / (s(j) + epsilon) - mean) / (2 * student_sum);
  }
  return result;
}

template <class T>
LossAndGradient<T> relational_loss(Relation relation, int n, const std::vector<T>& student,
                                   const std::vector<T>& teacher, T weight) {
  return relation == Relation::distances ? distance_relation(n, student, teacher, weight)
         : relation == Relation::angles  ? angle_relation(n, student, teacher, weight)
                                         : similarity_relation(n, student, teacher, weight);
}

}  // namespace preceptor::kernels::reference
