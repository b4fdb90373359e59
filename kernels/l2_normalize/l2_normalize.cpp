// Normalization on the cpu: a row at a time, or groups that lie side by side together.
#include "kernels/l2_normalize/l2_normalize.h"

#include <algorithm>
#include <cmath>

#include "kernels/device/cpu_loops.h"

namespace preceptor::kernels {
namespace {

constexpr int most_together = 64;  // groups side by side whose sums are in registers and L1

// Calls body(first value, first group, groups) for parts of at most most_together neighboring groups, in parallel.
template <class Arguments, class Body>
void for_each_part(const Arguments& a, const Body& body) {
  const int parts = (a.inner + most_together - 1) / most_together;
#pragma omp parallel for schedule(static) if (worth_threads(a.outer, static_cast <std::int64_t>(a.length) * a.inner))
  for (int task = 0; task < a.outer * parts; ++task) {
    const int outer = task / parts, first = task % parts * most_together;
    const std::size_t value = static_cast<std::size_t>(outer) * a.length * a.inner + first;
    body(value, static_cast<std::size_t>(outer) * a.inner + first, std::min(most_together, a.inner - first));
  }
}

// Calls visit(position, n) for every value of groups n < `groups`, in the order of memory.
template <class Arguments, class Visit>
void for_each_value(const Arguments& a, std::size_t first, int groups, const Visit& visit) {
  // A row of its own is a loop over neighbors, which fills vectors; n is known then, so a sum stays in registers.
  if (a.inner == 1) {
    for (int i = 0; i < a.length; ++i) visit(first + i, 0);
    return;
  }
  for (int i = 0; i < a.length; ++i)
    for (int n = 0; n < groups; ++n) visit(first + static_cast<std::size_t>(i) * a.inner + n, n);
}

// sums[n] = the terms of all values of group n; term(position, n).
template <class Arguments, class Term>
void add_up(const Arguments& a, std::size_t first, int groups, double* sums, const Term& term) {
  double local[most_together] = {};
  for_each_value(a, first, groups, [&](std::size_t at, int n) { local[n] += term(at, n); });
  std::copy_n(local, groups, sums);
}

}  // namespace

// mapping: up to 64 neighboring groups a task; bytes: x read up to three times, from the cache after the first if
// a task's values fit, y written; operations: 5 per value; hazard: the norm is summed around the mean, in double: a
// constant group has exactly none.
void run_on(Cpu, const L2Normalize<float>& a) {
  for_each_part(a, [&](std::size_t first, std::size_t first_group, int groups) {
    double means[most_together] = {}, squares[most_together];
    if (a.center) {
      add_up(a, first, groups, means, [&](std::size_t at, int) { return static_cast<double>(a.x[at]); });
      for (int n = 0; n < groups; ++n) means[n] /= a.length;
    }
    add_up(a, first, groups, squares, [&](std::size_t at, int n) {
      const double x = static_cast<double>(a.x[at]) - means[n];
      return x * x;
    });
    double factors[most_together];
    for (int n = 0; n < groups; ++n) {
      const double norm = std::sqrt(squares[n]), epsilon = static_cast<double>(a.epsilon);
      factors[n] = static_cast<double>(a.scale) / std::max(norm, epsilon);
      a.inverse[first_group + n] = norm <= epsilon ? 0 : static_cast<float>(1 / norm);
    }
    for_each_value(a, first, groups, [&](std::size_t at, int n) {
      a.y[at] = static_cast<float>(factors[n] * (static_cast<double>(a.x[at]) - means[n]));
    });
  });
}

// mapping: as L2Normalize; bytes: y and d_y read, d_x written; operations: 7 per value.
void run_on(Cpu, const L2NormalizeBackward<float>& a) {
  for_each_part(a, [&](std::size_t first, std::size_t first_group, int groups) {
    double means[most_together] = {}, projections[most_together];
    if (a.center) {
      add_up(a, first, groups, means, [&](std::size_t at, int) { return static_cast<double>(a.d_y[at]); });
      for (int n = 0; n < groups; ++n) means[n] /= a.length;
    }
    const double square = static_cast<double>(a.scale) * static_cast<double>(a.scale);
    add_up(a, first, groups, projections,
           [&](std::size_t at, int) { return static_cast<double>(a.d_y[at]) * static_cast<double>(a.y[at]) / square; });
    for_each_value(a, first, groups, [&](std::size_t at, int n) {
      const double factor = static_cast<double>(a.scale) * static_cast<double>(a.inverse[first_group + n]);
      a.d_x[at] = static_cast<float>(
          factor * (static_cast<double>(a.d_y[at]) - means[n] - projections[n] * static_cast<double>(a.y[at])));
    });
  });
}

}  // namespace preceptor::kernels
