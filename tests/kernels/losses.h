// Helpers for the tests of all losses: arrays that begin anywhere, losses with their gradients, unknown labels.
#pragma once

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/shapes.h"
#include "tests/support/variants.h"

namespace preceptor::test {

inline constexpr float unknown = std::numeric_limits<float>::quiet_NaN();

inline double total(const std::vector<double>& values) {
  double sum = 0;
  for (double value : values) sum += value;
  return sum;
}

// Values, or one where there are none: a buffer has at least that.
inline std::vector<float> or_one(const std::vector<float>& values) {
  return values.empty() ? std::vector<float>{unknown} : values;
}

// An array that begins `offset` values after an aligned address. The memory before it keeps a pattern that is a NaN.
template <class T>
class OffsetBuffer {
 public:
  OffsetBuffer(const kernels::Device& device, int offset, const std::vector<T>& values)
      : offset_(offset), buffer_(device, padded(offset, values)) {}

  T* data() const { return buffer_.data() + offset_; }
  std::vector<T> host() const {
    const std::vector<T> all = buffer_.host();
    const std::vector<T> before = padded(offset_, {});
    EXPECT_TRUE(same_bits(std::vector<T>(all.begin(), all.begin() + offset_), before)) << "written before its begin";
    return {all.begin() + offset_, all.end()};
  }

 private:
  static std::vector<T> padded(int offset, const std::vector<T>& values) {
    std::vector<T> result(static_cast<std::size_t>(offset), static_cast<T>(unknown));
    result.insert(result.end(), values.begin(), values.end());
    return result;
  }

  int offset_;
  DeviceBuffer<T> buffer_;
};

template <class T>
struct LossAndGradient {
  std::vector<float> loss;
  std::vector<T> gradient;
  bool operator==(const LossAndGradient& other) const {
    return same_bits(loss, other.loss) && same_bits(gradient, other.gradient);
  }
};

}  // namespace preceptor::test
