// Watches every access of a kernel to shared and global memory: races, reads of uninitialized memory, sectors and bank
// conflicts. A worker has one where kernel files are compiled with hooks (PRECEPTOR_EMULATOR_WATCH).
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "kernels/device/emulator/access_counter.h"
#include "kernels/device/emulator/runtime.h"
#include "kernels/device/emulator/shadow.h"

namespace preceptor::kernels::emulator {

class Worker;

// A cp.async that was issued and not waited for.
struct PendingCopy {
  void* shared;
  const void* global;
  std::size_t bytes;
  const void* code;
};

// The accesses that one block made visible to whoever acquires it: everything before an epoch, and one thread's own
// accesses up to another. Epochs count the barriers of a block.
struct Release {
  std::uint32_t before_epoch = 0;
  std::uint32_t thread = ~0u, thread_epoch = 0;
};

class Watcher {
 public:
  explicit Watcher(Worker& worker) : worker_(worker) {}

  void begin_grid();
  void begin_block(std::uint32_t block, int threads);
  void end_block() { counter_.end_block(); }
  void abandon_block() { counter_.abandon_block(); }
  void barrier();                    // all threads of the block have met
  void warp_synchronized(int warp);  // all lanes of the warp have met
  void fence();
  void copy_issued(const PendingCopy& copy);
  void copy_delivered(const PendingCopy& copy);
  void access(const void* address, std::size_t bytes, Access access, const void* code);

 private:
  struct Acquired {
    Release release;
    std::uint32_t by_thread, at_epoch;  // the others of the block know of it after the next barrier
  };
  struct ThreadState {
    bool unfenced_writes = false;  // to global memory
    std::uint32_t fence_epoch = 0;
  };
  using Releases = std::unordered_map<std::uint32_t, Release>;  // by block

  bool ordered(const Record& before, std::uint32_t thread) const;
  void acquire_and_release(const void* address, std::uint32_t thread);

  Worker& worker_;
  Shadow shadow_;
  AccessCounter counter_;
  // Generations of shadow cells: one for the global memory of a grid, one for each block's shared memory.
  std::uint32_t generation_ = 0, global_generation_ = 0, shared_generation_ = 0;

  std::uint32_t block_ = 0, epoch_ = 0;
  std::uint32_t published_before_ = 0;  // epoch before which all global writes of the block are fenced
  std::vector<std::uint32_t> warp_epoch_;
  std::vector<ThreadState> threads_;
  std::unordered_map<std::uint32_t, Acquired> acquired_;  // by block
  std::vector<PendingCopy> in_flight_;
  std::unordered_map<const void*, Releases> atomics_;  // by address, of the grid
};

}  // namespace preceptor::kernels::emulator
