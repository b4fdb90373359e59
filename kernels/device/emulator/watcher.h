// Watches every access of a kernel to shared and global memory: races, reads of uninitialized memory, sectors and bank
// conflicts. Active where kernel files are compiled with hooks (PRECEPTOR_EMULATOR_WATCH), empty elsewhere.
#pragma once

#include <cstdint>
#include <memory>

#include "kernels/device/emulator/runtime.h"

namespace preceptor::kernels::emulator {

class Worker;
struct PendingCopy;

#ifdef PRECEPTOR_EMULATOR_WATCH
constexpr bool watching = true;
#else
constexpr bool watching = false;
#endif

class Watcher {
 public:
  explicit Watcher(Worker& worker);
  ~Watcher();

  void begin_grid();
  void begin_block(std::uint32_t block, int threads);
  void end_block();
  void abandon_block();
  void barrier();                    // all threads of the block have met
  void warp_synchronized(int warp);  // all lanes of the warp have met
  void fence();
  void copy_issued(const PendingCopy& copy);
  void copy_delivered(const PendingCopy& copy);
  void access(const void* address, std::size_t bytes, Access access, const void* code);

 private:
  struct State;
  [[maybe_unused]] Worker& worker_;
  std::unique_ptr<State> state_;  // empty unless watching
};

}  // namespace preceptor::kernels::emulator
