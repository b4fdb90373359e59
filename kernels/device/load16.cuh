// Accesses of 16 bytes: 4 floats or 8 bfloat16 in one instruction of a thread, 512 bytes a warp.
#pragma once

#include "kernels/device/gpu.h"

namespace preceptor::kernels {

// 16 bytes of neighboring values.
template <class T>
struct alignas(16) Pack {
  static constexpr int count = 16 / sizeof(T);
  T value[count];
};

// True when all pointers (nullptr counts) are multiples of 16 bytes.
template <class... Pointers>
__host__ __device__ inline bool aligned16(const Pointers*... pointers) {
  return ((reinterpret_cast<std::uintptr_t>(pointers) % 16 == 0) && ...);
}

// p is a multiple of 16 bytes.
#ifdef __CUDACC__
template <class T>
__device__ inline Pack<T> load16(const T* p) {
  const uint4 bits = *reinterpret_cast<const uint4*>(p);
  Pack<T> pack;
  memcpy(&pack, &bits, 16);
  return pack;
}
template <class T>
__device__ inline void store16(T* p, const Pack<T>& pack) {
  uint4 bits;
  memcpy(&bits, &pack, 16);
  *reinterpret_cast<uint4*>(p) = bits;
}
#else
template <class T>
EMULATOR_UNWATCHED Pack<T> load16(const T* p, emulator::Place place = emulator::Place::current()) {
  emulator::require_aligned(p, 16, place);
  emulator::watch(p, 16, emulator::Access::read, __builtin_return_address(0));
  return *reinterpret_cast<const Pack<T>*>(p);
}
template <class T>
EMULATOR_UNWATCHED void store16(T* p, const Pack<T>& pack, emulator::Place place = emulator::Place::current()) {
  emulator::require_aligned(p, 16, place);
  emulator::watch(p, 16, emulator::Access::write, __builtin_return_address(0));
  *reinterpret_cast<Pack<T>*>(p) = pack;
}
#endif

}  // namespace preceptor::kernels
