// bfloat16 storage: the upper half of a float, rounded to nearest even.
#pragma once

#include <bit>
#include <cstdint>

#ifdef __CUDACC__
#define ON_ANY_DEVICE __host__ __device__
#else
#define ON_ANY_DEVICE
#endif

namespace preceptor::kernels {

struct bfloat16 {
  std::uint16_t bits = 0;

  bfloat16() = default;
  ON_ANY_DEVICE explicit bfloat16(float value) {
    const auto word = std::bit_cast<std::uint32_t>(value);
    // A NaN is kept quiet: rounding could carry its payload into the exponent and make it infinite.
    if ((word & 0x7fffffffu) > 0x7f800000u)
      bits = static_cast<std::uint16_t>((word >> 16) | 0x40u);
    else
      bits = static_cast<std::uint16_t>((word + 0x7fffu + ((word >> 16) & 1u)) >> 16);
  }
  ON_ANY_DEVICE explicit operator float() const { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); }
};

}  // namespace preceptor::kernels
