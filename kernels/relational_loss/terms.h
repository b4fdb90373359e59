// The terms of relation losses, in double: the same on every device.
#pragma once

#include <cmath>

#include "kernels/relational_loss/relational_loss.h"

namespace preceptor::kernels {

struct Huber {
  double loss, slope;

  ON_ANY_DEVICE explicit Huber(double x) {
    const double below = x > 1 ? 1 : x;
    slope = below < -1 ? -1 : below;
    loss = slope * (x - slope / 2);
  }
};

constexpr double least_distance = 1e-6;

ON_ANY_DEVICE inline double distance_of(float square) {
  const double distance = std::sqrt(static_cast<double>(square));
  return distance < least_distance ? least_distance : distance;
}

// 1 / sqrt(x). On a card a division or a root may be a call, around which values are spilled; this is neither.
ON_ANY_DEVICE inline double inverse_root(double x) {
#ifdef __CUDA_ARCH__
  return ::rsqrt(x);
#else
  return 1 / std::sqrt(x);
#endif
}

// The angle at i between j and k, by the law of cosines.
struct Angle {
  double inverse;  // 1 / (2 |ij| |ik|); 0 where there is no angle
  double cosine;

  ON_ANY_DEVICE Angle(const float* squares, int n, int i, int j, int k) : inverse(0), cosine(0) {
    const double ij = static_cast<double>(squares[static_cast<std::size_t>(i) * n + j]);
    const double ik = static_cast<double>(squares[static_cast<std::size_t>(i) * n + k]);
    if (i == j || i == k || ij == 0 || ik == 0) return;
    inverse = 0.5 * inverse_root(ij * ik);
    cosine = (ij + ik - static_cast<double>(squares[static_cast<std::size_t>(j) * n + k])) * inverse;
  }
};

// What the angles at row a with leg b cost, and the derivative by the squared distance of a and b of all angles.
struct AnglesOfPair {
  double loss = 0, derivative = 0;

  // third: of the n rows, which are taken in turns by whoever adds up.
  ON_ANY_DEVICE void add(const RelationalLoss& r, int a, int b, int third) {
    const int n = r.rows;
    const Angle own(r.student, n, a, b, third), others(r.teacher, n, a, b, third);
    const Huber at_a(own.cosine - others.cosine);
    loss += at_a.loss;
    if (a == b) return;
    const double by_leg = inverse_root(static_cast<double>(r.student[static_cast<std::size_t>(a) * n + b]));
    // As a leg of an angle at a, the first and the second alike. The angle of a leg with itself is 1 whatever it is.
    if (own.inverse > 0 && third != b)
      derivative += 2 * at_a.slope * (own.inverse - own.cosine * 0.5 * by_leg * by_leg);
    // Opposite to the angle at the third.
    const Angle opposite(r.student, n, third, a, b), opposite_of_teacher(r.teacher, n, third, a, b);
    derivative -= Huber(opposite.cosine - opposite_of_teacher.cosine).slope * opposite.inverse;
  }
};

constexpr double similarity_epsilon = 1e-7;

ON_ANY_DEVICE inline double affinity(float cosine) { return (static_cast<double>(cosine) + 1) / 2; }

}  // namespace preceptor::kernels
