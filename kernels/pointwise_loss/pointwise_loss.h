// Losses on what a student has and a teacher has in the same place.
#pragma once

#include <cmath>

#include "kernels/device/family.h"
#include "kernels/pointwise_loss/kind.h"

namespace preceptor::kernels {

// Loss and gradient in one launch. T is float or bfloat16 (cpu: float).
template <class T>
struct PointwiseLoss {
  static constexpr const char* name = "pointwise_loss";
  const T* student;  // [rows, columns]
  const T* teacher;  // [rows, columns]; nullptr: zeros
  float* loss;       // [rows] scale * the sum over the row
  T* d_student;      // [rows, columns] d loss[row] / d student
  int rows, columns;
  PointwiseLossKind kind;
  float scale;      // usually weight / (rows * columns)
  float parameter;  // p

  Cost cost() const {
    const double entries = count_of(rows, columns);
    return {(teacher ? 3 : 2) * entries * sizeof(T) + rows * sizeof(float), 5 * entries};
  }
};
KERNEL_FAMILY_OF_T(PointwiseLoss);

// loss[0] = scale * sqrt(sum of squares), every other row 0, and the factor that turns the gradient of the sum of
// squares into the gradient of this. Where the sum is 0 the factor is 0: a norm has no direction there.
struct RootOfSum {
  static constexpr const char* name = "root_of_sum";
  float* loss;  // [count] in: parts of the sum; out: the loss
  int count;
  float scale;
  float* factor;  // [1] scale / (2 sqrt(sum))

  Cost cost() const { return {2 * count_of(count) * sizeof(float) + sizeof(float), count_of(count)}; }
};
KERNEL_FAMILY(RootOfSum);

// The loss of one place and its derivative by s, in the type of the arithmetic. A NaN of s stays one.
template <class T>
struct PointwiseTerm {
  T loss = 0, derivative = 0;

  ON_ANY_DEVICE PointwiseTerm(PointwiseLossKind kind, T s, T t, T p) {
    const T x = s - t;
    switch (kind) {
      case PointwiseLossKind::square:
        square(x);
        break;
      case PointwiseLossKind::correlation: {
        // k(s) - k(t) as a multiple of x: equal values cost exactly nothing.
        const T k = std::exp(-2 * p), sum = 1 + p * (s + t);
        const T difference = 2 * p * k * x * sum;
        loss = difference * difference;
        derivative = 2 * difference * 2 * p * k * (1 + 2 * p * s);
        break;
      }
      case PointwiseLossKind::boundary: {
        const T margin = t > 0 ? p : -p;
        const bool wrong = t > 0 ? !(s > p) : !(s <= -p);
        square(wrong ? s - margin : T(0));
        break;
      }
      case PointwiseLossKind::partial:
        square(s <= t && t <= 0 ? T(0) : x);
        break;
      case PointwiseLossKind::absolute:
        loss = std::abs(x);
        derivative = x > 0 ? T(1) : x < 0 ? T(-1) : x;
        break;
    }
  }

 private:
  ON_ANY_DEVICE void square(T x) {
    loss = x * x;
    derivative = 2 * x;
  }
};

}  // namespace preceptor::kernels
