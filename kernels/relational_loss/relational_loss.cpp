// Relations of a batch on the cpu, in double.
#include "kernels/relational_loss/relational_loss.h"

#include <cmath>

#include "kernels/device/cpu_loops.h"
#include "kernels/relational_loss/terms.h"

namespace preceptor::kernels {
namespace {

// mapping: one thread: the matrices of a batch are a few thousand entries; hazard: the mean distance is a function of
// every distance, so its derivative is a sum over all.
void distance_loss(const RelationalLoss& a) {
  const int n = a.rows;
  const auto distance = [n](const float* squares, int at) { return at / n == at % n ? 0 : distance_of(squares[at]); };
  double of_student = 0, of_teacher = 0, common = 0;
  for (int at = 0; at < n * n; ++at) {
    of_student += distance(a.student, at);
    of_teacher += distance(a.teacher, at);
  }
  const double pairs = static_cast<double>(n) * (n - 1),
               scale = static_cast<double>(a.weight) / (static_cast<double>(n) * n);
  of_student /= pairs;
  of_teacher /= pairs;
  const auto term = [&](int at) {
    return Huber(at / n == at % n ? 0 : distance(a.student, at) / of_student - distance(a.teacher, at) / of_teacher);
  };
  for (int row = 0; row < n; ++row) {
    double loss = 0;
    for (int at = row * n; at < (row + 1) * n; ++at) {
      const Huber huber = term(at);
      loss += huber.loss;
      common += huber.slope * distance(a.student, at);
    }
    a.loss[row] = static_cast<float>(scale * loss);
  }
  common = n > 1 ? common / (of_student * of_student * pairs) : 0;
  for (int at = 0; at < n * n; ++at) {
    const double own = distance(a.student, at);
    a.d_student[at] =
        own > least_distance ? static_cast<float>(scale * (term(at).slope / of_student - common) / (2 * own)) : 0.0f;
  }
}

// mapping: rows over threads; operations: about 60 for every triple.
void angle_loss(const RelationalLoss& a) {
  const double scale = static_cast<double>(a.weight) / (static_cast<double>(a.rows) * a.rows * a.rows);
#pragma omp parallel for schedule(static) if (worth_threads(a.rows, static_cast <std::int64_t>(a.rows) * a.rows, 16))
  for (int row = 0; row < a.rows; ++row) {
    double loss = 0;
    for (int other = 0; other < a.rows; ++other) {
      AnglesOfPair pair;
      for (int third = 0; third < a.rows; ++third) pair.add(a, row, other, third);
      loss += pair.loss;
      a.d_student[static_cast<std::size_t>(row) * a.rows + other] = static_cast<float>(scale * pair.derivative);
    }
    a.loss[row] = static_cast<float>(scale * loss);
  }
}

// mapping: one thread; operations: about 30 per entry.
void similarity_loss(const RelationalLoss& a) {
  const double scale = static_cast<double>(a.weight) / (static_cast<double>(a.rows) * a.rows);
  for (int row = 0; row < a.rows; ++row) {
    const std::size_t first = static_cast<std::size_t>(row) * a.rows;
    double student_sum = 0, teacher_sum = 0, loss = 0, mean = 0;
    for (std::size_t at = first; at < first + a.rows; ++at) {
      student_sum += affinity(a.student[at]);
      teacher_sum += affinity(a.teacher[at]);
    }
    for (std::size_t at = first; at < first + a.rows; ++at) {
      const double s = affinity(a.student[at]) / student_sum, t = affinity(a.teacher[at]) / teacher_sum;
      loss += t * std::log((t + similarity_epsilon) / (s + similarity_epsilon));
      mean -= t / (s + similarity_epsilon) * s;
    }
    for (std::size_t at = first; at < first + a.rows; ++at) {
      const double s = affinity(a.student[at]) / student_sum, t = affinity(a.teacher[at]) / teacher_sum;
      a.d_student[at] = static_cast<float>(scale * (-t / (s + similarity_epsilon) - mean) / (2 * student_sum));
    }
    a.loss[row] = static_cast<float>(scale * loss);
  }
}

}  // namespace

// mapping: rows over threads in turn, because row i has i distances and the others are theirs mirrored; bytes: x read
// by every row, which stays in the cache, distances written; operations: 3 per pair and column.
void run_on(Cpu, const SquaredDistances& a) {
  const std::size_t rows = static_cast<std::size_t>(a.rows), columns = static_cast<std::size_t>(a.columns);
#pragma omp parallel for schedule(static, 1) if (worth_threads(a.rows, static_cast <std::int64_t>(a.rows) * a.columns))
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j <= i; ++j) {
      const float *x = a.x + i * columns, *y = a.x + j * columns;
      double sum = 0;
      for (int c = 0; c < a.columns; ++c) {
        const double d = static_cast<double>(x[c]) - static_cast<double>(y[c]);
        sum += d * d;
      }
      a.distances[i * rows + j] = a.distances[j * rows + i] = static_cast<float>(sum);
    }
}

// mapping: rows over threads, 64 columns at a time, whose sums stay in registers; bytes: x read by every row, d_x
// written; operations: 3 per pair and column.
void run_on(Cpu, const SquaredDistancesBackward& a) {
  const std::size_t rows = static_cast<std::size_t>(a.rows), columns = static_cast<std::size_t>(a.columns);
#pragma omp parallel for schedule(static) if (worth_threads(a.rows, static_cast <std::int64_t>(a.rows) * a.columns))
  for (std::size_t i = 0; i < rows; ++i)
    for_each_group(a.columns, [&](int first, auto count) {
      const float* x = a.x + i * columns + first;
      double sums[chunk_size] = {};
      for (std::size_t j = 0; j < rows; ++j) {
        const float* y = a.x + j * columns + first;
        const double weight =
            static_cast<double>(a.d_distances[i * rows + j]) + static_cast<double>(a.d_distances[j * rows + i]);
        for (int c = 0; c < count; ++c) sums[c] += weight * (static_cast<double>(x[c]) - static_cast<double>(y[c]));
      }
      for (int c = 0; c < count; ++c) a.d_x[i * columns + first + c] = static_cast<float>(2 * sums[c]);
    });
}

// bytes: both matrices read, d_student written.
void run_on(Cpu, const RelationalLoss& a) {
  switch (a.relation) {
    case Relation::distances:
      return distance_loss(a);
    case Relation::angles:
      return angle_loss(a);
    case Relation::similarities:
      return similarity_loss(a);
  }
}

}  // namespace preceptor::kernels
