// cp.async (sm_80): 16 bytes from global to shared memory without a register in between, while the thread goes on.
#pragma once

#include "kernels/device/gpu.h"

namespace preceptor::kernels {

// Both addresses are multiples of 16 bytes. The data are there for this thread after copy_async_wait, for the others of
// the block after a barrier that follows.
#ifdef __CUDACC__
__device__ inline void copy_async16(void* shared, const void* global) {
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(global) : "memory");
}
// Closes a group of copies.
__device__ inline void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits for all groups of this thread but the `in_flight` newest.
template <int in_flight>
__device__ inline void copy_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(in_flight) : "memory");
}
#else
EMULATOR_UNWATCHED void copy_async16(void* shared, const void* global,
                                     emulator::Place place = emulator::Place::current()) {
  emulator::copy_async(shared, global, 16, place, __builtin_return_address(0));
}
inline void copy_async_commit() { emulator::copy_async_commit(); }
template <int in_flight>
void copy_async_wait() {
  emulator::copy_async_wait(in_flight);
}
#endif

}  // namespace preceptor::kernels
