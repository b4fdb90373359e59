// Division by a number that a kernel's threads share: a multiplication and a shift instead of some twenty instructions.
#pragma once

#include <cstdint>

#include "kernels/device/bfloat16.h"

namespace preceptor::kernels {

// With l = ceil(log2 d) and magic = ceil(2^(31 + l) / d), which has 32 bits, n magic is less than n 2^(31 + l) / d +
// 2^(31 + l) / d for all n below 2^31: the quotient's whole part is exact.
class FastDivmod {
 public:
  ON_ANY_DEVICE explicit FastDivmod(int divisor) : divisor_(divisor), shift_(31) {
    while ((std::int64_t{1} << (shift_ - 31)) < divisor) ++shift_;
    const std::uint64_t unit = static_cast<std::uint64_t>(divisor);
    magic_ = static_cast<std::uint32_t>(((std::uint64_t{1} << shift_) + unit - 1) / unit);
  }
  ON_ANY_DEVICE int divisor() const { return divisor_; }
  // 0 <= n
  ON_ANY_DEVICE int quotient(int n) const {
    return static_cast<int>((static_cast<std::uint64_t>(static_cast<std::uint32_t>(n)) * magic_) >> shift_);
  }

 private:
  int divisor_, shift_;  // shift is 31 to 62
  std::uint32_t magic_;
};

}  // namespace preceptor::kernels
