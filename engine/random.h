// Random numbers for the initial values of parameters: the kernels' generator, on the host. data/random.h draws orders,
// splits and phantoms from another one; exchanging them would change the bits of every recorded run.
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
