// The calls of kernel source and its launches to the emulator, defined in other translation units on purpose:
// inlined into a kernel file, sanitizers and hooks would report the emulator itself.
#pragma once

#include <cstddef>
#include <cstdint>
#ifndef __clang__
#include <source_location>
#endif

#include "kernels/device/device.h"

// CUDA's types and variables, as real variables: `break x.cu:40 if threadIdx.x == 5` works in gdb.
struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3() = default;
  template <class X, class Y = unsigned, class Z = unsigned>
  constexpr dim3(X width, Y height = 1, Z depth = 1)
      : x(static_cast<unsigned>(width)), y(static_cast<unsigned>(height)), z(static_cast<unsigned>(depth)) {}
};
extern constinit thread_local uint3 threadIdx, blockIdx;
extern constinit thread_local dim3 blockDim, gridDim;

namespace preceptor::kernels::emulator {

// std::source_location, which clang 14 does not have.
struct Place {
  const char* file = "";
  unsigned line = 0, column = 0;

#ifdef __clang__
  static constexpr Place current(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE(),
                                 unsigned column = __builtin_COLUMN()) {
    return {file, line, column};
  }
#else
  static constexpr Place current(std::source_location here = std::source_location::current()) {
    return {here.file_name(), here.line(), here.column()};
  }
#endif
};

// A launch: blocks of threads that all call invoke(parameters).
struct Grid {
  const void* kernel;  // for its name in errors
  dim3 grid, block;
  std::size_t shared_bytes;
  const void* parameters;
  std::size_t parameter_bytes;
  void (*invoke)(const void* parameters);
};

// Runs all blocks. Throws Error(internal) with kernel, line, thread and reason for what a card would not forgive.
void run_grid(const Emulated& gpu, const Grid& grid);

// Memory of the block: NaN until written. A key stands for one SHARED line.
void* static_shared(const void* key, std::size_t bytes);
void* dynamic_shared_memory();

// Waits for all threads of the block at the same place; gives the number of threads whose predicate is not zero.
int barrier(int predicate, Place place);

// Waits for the lanes in `mask` at the same place. The last to arrive calls execute(mask, what the 32 lanes passed);
// lanes that are not in the mask have nullptr there.
void collective(unsigned mask, void (*execute)(unsigned mask, void* const* lanes), void* argument, Place place);

int lane_of_this_thread();

// A lane's part in a shuffle: the value it gives, the lane it reads and the value it gets.
struct Shuffle {
  std::uint64_t value;
  int source;
  std::uint64_t result;
};
void shuffle(unsigned mask, Shuffle& lane, Place place);

// The lanes' values, combined from the lowest lane to the highest; every lane gets the result.
using Combine = unsigned (*)(unsigned a, unsigned b);
unsigned vote(unsigned mask, unsigned value, Combine combine, Place place);

// Tensor core instructions of a warp; mma.cuh says which lane holds what.
void load_matrix(unsigned (&result)[4], const void* shared_row, bool transposed, Place place, const void* code);
void mma_bf16(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2], Place place);
void mma_tf32(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2], Place place);

// A GPU faults on an address that is not a multiple of the width of its access.
void misaligned(const void* address, std::size_t bytes, Place place);
inline void require_aligned(const void* address, std::size_t bytes, Place place) {
  if (reinterpret_cast<std::uintptr_t>(address) % bytes != 0) misaligned(address, bytes, place);
}

// Orders the thread's writes before what it does next, for threads of other blocks.
void fence();

// 16 bytes from global to shared memory, delivered when the thread waits for it: commit() closes a group, wait(n)
// delivers all groups but the n newest.
void copy_async(void* shared, const void* global, std::size_t bytes, Place place, const void* code);
void copy_async_commit();
void copy_async_wait(int groups_in_flight);

// Tells the emulator of an access to memory. Kernel files that are compiled with -fsanitize=thread
// (PRECEPTOR_EMULATOR_WATCH) tell of all others by themselves.
enum class Access : std::uint8_t { read, write, atomic };
#ifdef PRECEPTOR_EMULATOR_WATCH
void watch(const void* address, std::size_t bytes, Access access, const void* code);
#else
inline void watch(const void*, std::size_t, Access, const void*) {}
#endif

}  // namespace preceptor::kernels::emulator
