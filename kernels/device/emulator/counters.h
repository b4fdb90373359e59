// Memory traffic of kernels, counted on the emulator: a performance bug fails a test on a laptop.
#pragma once

#include <cstdint>

namespace preceptor::kernels::emulator {

struct Counters {
  std::int64_t read_sectors = 0, written_sectors = 0;  // 32 bytes of global memory each, counted per access of a warp
  std::int64_t shared_accesses = 0;                    // accesses of a warp
  std::int64_t bank_conflicts = 0;                     // wavefronts that such accesses need beyond the fewest possible
  std::int64_t barriers = 0;                           // per block
  std::int64_t sectors() const { return read_sectors + written_sectors; }
};

// True where kernel files are compiled with hooks; elsewhere accesses are not seen.
bool counters_available();

// Between these two calls the accesses of all launches are counted.
void start_counting();
Counters stop_counting();

}  // namespace preceptor::kernels::emulator
