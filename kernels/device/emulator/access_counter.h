// Gathers the accesses of the lanes of a warp that belong to one instruction, and counts sectors and bank conflicts.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "kernels/device/emulator/counters.h"
#include "kernels/device/emulator/runtime.h"

namespace preceptor::kernels::emulator {

// Lanes are fibers that run one after another, so the accesses of one instruction are found by its place in the code
// and by how often the lane has been there in this block: the n-th time of every lane is one access of the warp.
class AccessCounter {
 public:
  void begin_block(int threads);
  void end_block();
  void abandon_block();
  void barrier();               // by the whole block
  void synchronized(int warp);  // all lanes of the warp have met
  void access(int thread, const void* address, std::size_t bytes, Access access, bool shared, const void* code);

 private:
  struct Group {
    bool shared = false;
    Access access = Access::read;
    std::uint32_t bytes = 0;
    std::vector<std::uintptr_t> addresses;
  };
  using Key = std::uint64_t;  // place, visit
  static void tally(const Group& group);

  std::vector<std::unordered_map<std::uint32_t, std::uint32_t>> visits_;  // by thread: place -> times
  std::vector<std::unordered_map<Key, Group>> groups_;                    // by warp
};

// Positions in the program's code as 32 bits.
std::uint32_t code_offset(const void* code);
const void* code_at(std::uint32_t offset);

}  // namespace preceptor::kernels::emulator
