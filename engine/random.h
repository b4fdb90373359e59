// Random numbers for the host side of layers above the kernels.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/device/philox.h"

namespace preceptor {

// Four independent 32-bit numbers for (seed, stream, index), the same on every machine.
inline std::array<std::uint32_t, 4> random_bits(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  return kernels::philox(seed, index, stream);
}

}  // namespace preceptor
