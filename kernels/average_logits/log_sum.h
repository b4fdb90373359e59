// The logarithm of a sum of exponentials, one term after the other.
#pragma once

#include <cmath>
#include <limits>

#include "kernels/device/bfloat16.h"

namespace preceptor::kernels {

// log(sum exp(term)). The largest term so far is taken out of the sum, so exp() is of no positive number.
class LogSum {
 public:
  ON_ANY_DEVICE void add(float term) { add(term, 1); }
  // What another sum holds.
  ON_ANY_DEVICE void add(const LogSum& other) { add(other.maximum_, other.sum_); }
  ON_ANY_DEVICE LogSum(float maximum, float sum) : maximum_(maximum), sum_(sum) {}
  ON_ANY_DEVICE LogSum() : LogSum(-std::numeric_limits<float>::infinity(), 0) {}

  ON_ANY_DEVICE float maximum() const { return maximum_; }
  ON_ANY_DEVICE float sum() const { return sum_; }  // times exp(maximum())
  ON_ANY_DEVICE float value() const { return maximum_ + std::log(sum_); }

 private:
  ON_ANY_DEVICE void add(float maximum, float sum) {
    if (!(sum > 0) || maximum == -std::numeric_limits<float>::infinity()) return;
    if (maximum > maximum_) {
      sum_ = sum_ * std::exp(maximum_ - maximum) + sum;
      maximum_ = maximum;
    } else {
      sum_ = sum_ + sum * std::exp(maximum - maximum_);
    }
  }

  float maximum_, sum_;
};

// log(sigmoid(z)): no term is the small difference of large ones.
ON_ANY_DEVICE inline float log_sigmoid(float z) { return (z < 0 ? z : 0.0f) - std::log1p(std::exp(z < 0 ? z : -z)); }

}  // namespace preceptor::kernels
