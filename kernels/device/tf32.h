// tf32, what tensor cores multiply of floats: sign, 8 bits of exponent and 10 of mantissa, as the upper bits of a word.
#pragma once

#include <bit>
#include <cstdint>

#include "kernels/device/bfloat16.h"

namespace preceptor::kernels {

struct tf32 {
  std::uint32_t bits = 0;

  tf32() = default;
  // Rounded to nearest, halves away from zero; a NaN stays one.
  ON_ANY_DEVICE explicit tf32(float value) {
#ifdef __CUDA_ARCH__
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
#else
    const auto word = std::bit_cast<std::uint32_t>(value);
    const bool nan = (word & 0x7fffffffu) > 0x7f800000u;
    bits = nan ? 0x7fffffffu : (word + 0x1000u) & 0xffffe000u;
#endif
  }
  ON_ANY_DEVICE explicit operator float() const { return std::bit_cast<float>(bits); }
};

}  // namespace preceptor::kernels
