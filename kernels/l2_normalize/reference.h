// Normalization as plain loops: the specification that every device is tested against.
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace preceptor::kernels::reference {

struct Groups {
  int outer, length, inner;

  std::size_t size() const { return static_cast<std::size_t>(outer) * length * inner; }
  std::size_t at(int o, int i, int n) const { return (static_cast<std::size_t>(o) * length + i) * inner + n; }
};

// Calls visit(function from 0..length-1 to the position of a value) for every group.
template <class Visit>
void for_each_group_of(const Groups& g, const Visit& visit) {
  for (int o = 0; o < g.outer; ++o)
    for (int n = 0; n < g.inner; ++n) visit([&](int i) { return g.at(o, i, n); });
}

template <class T>
std::vector<T> l2_normalize(const Groups& g, const std::vector<T>& x, bool center, T scale, T epsilon) {
  std::vector<T> y(x.size());
  for_each_group_of(g, [&](const auto& at) {
    T mean = 0, square = 0;
    for (int i = 0; i < g.length; ++i) mean += center ? x[at(i)] / static_cast<T>(g.length) : T(0);
    for (int i = 0; i < g.length; ++i) square += (x[at(i)] - mean) * (x[at(i)] - mean);
    const T norm = std::max(std::sqrt(square), epsilon);
    for (int i = 0; i < g.length; ++i) y[at(i)] = scale * (x[at(i)] - mean) / norm;
  });
  return y;
}

template <class T>
std::vector<T> normalize_backward(const Groups& g, const std::vector<T>& x, const std::vector<T>& d_y, bool center,
                                  T scale, T epsilon) {
  std::vector<T> d_x(x.size(), T(0));
  for_each_group_of(g, [&](const auto& at) {
    T mean = 0, square = 0, d_mean = 0, projection = 0;
    for (int i = 0; i < g.length; ++i) mean += center ? x[at(i)] / static_cast<T>(g.length) : T(0);
    for (int i = 0; i < g.length; ++i) square += (x[at(i)] - mean) * (x[at(i)] - mean);
    const T norm = std::sqrt(square);
    if (norm <= epsilon) return;
    for (int i = 0; i < g.length; ++i) {
      d_mean += center ? d_y[at(i)] / static_cast<T>(g.length) : T(0);
      projection += d_y[at(i)] * (x[at(i)] - mean) / norm;
    }
    for (int i = 0; i < g.length; ++i)
      d_x[at(i)] = scale / norm * (d_y[at(i)] - d_mean - projection * (x[at(i)] - mean) / norm);
  });
  return d_x;
}

}  // namespace preceptor::kernels::reference
