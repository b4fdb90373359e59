// What the accesses of kernels cost on a card, counted on the emulator: a performance bug fails a test on a laptop.
#pragma once

#include <cstdint>

namespace preceptor::kernels::emulator {

struct Counters {
  std::int64_t read_sectors = 0, written_sectors = 0;  // of 32 bytes in global memory, counted per access of a warp
  std::int64_t shared_accesses = 0;                    // of a warp to shared memory
  std::int64_t bank_conflicts = 0;                     // wavefronts that such accesses need beyond the fewest possible
  std::int64_t barriers = 0;                           // of a block
  std::int64_t sectors() const { return read_sectors + written_sectors; }
};

// True where kernel files are compiled with hooks; elsewhere accesses are not seen.
bool counters_available();

// Between these two calls the accesses of all launches are counted.
void start_counting();
Counters stop_counting();

}  // namespace preceptor::kernels::emulator
