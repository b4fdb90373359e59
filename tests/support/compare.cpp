// Messages of a comparison: when a value is off, and at the end.
#include "tests/support/compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

namespace preceptor::test {

Comparison::~Comparison() {
  std::printf("[   ratio  ] %-40s largest error / allowed %.3f in %ld values\n", name_.c_str(), largest_, checks_);
}

void Comparison::check(double actual, double expected, double allowed, std::size_t index) {
  ++checks_;
  if (std::isnan(expected) && std::isnan(actual)) return;
  if (actual == expected) return;
  const double ratio = std::abs(actual - expected) / allowed;
  if (ratio <= 1) {
    largest_ = std::max(largest_, ratio);
    return;
  }
  largest_ = std::isnan(ratio) ? std::numeric_limits<double>::infinity() : std::max(largest_, ratio);
  if (++failures_ > 5) return;  // the first few say it all
  ADD_FAILURE() << name_ << " [" << index << "]: " << actual << " instead of " << expected << ", off by "
                << actual - expected << ", allowed " << allowed;
}

}  // namespace preceptor::test
