// CUDA's vocabulary for g++: what kernel source may use, answered by the emulator's runtime. Names are CUDA's own.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <type_traits>

#include "kernels/device/device.h"
#include "kernels/device/emulator/runtime.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __restrict__ __restrict
#define __launch_bounds__(...)
#define __constant__

// Static shared memory: SHARED(float, tile, [16][17]); or SHARED(bool, last, );
// Every thread that comes here gets the block's one array; the key is different for every place and template instance.
#define SHARED(type, name, extents) \
  using name##_type = type extents; \
  static const char name##_key = 0; \
  name##_type& name =               \
      *static_cast<name##_type*>(::preceptor::kernels::emulator::static_shared(&name##_key, sizeof(name##_type)))

// A kernel's access that the runtime is told about: the access itself must not be watched again by the compiler's
// hooks. Never inlined where hooks are on, so that __builtin_return_address(0) is the place in the kernel.
#ifdef PRECEPTOR_EMULATOR_WATCH
#define EMULATOR_UNWATCHED __attribute__((no_sanitize("thread"), noinline)) inline
#else
#define EMULATOR_UNWATCHED inline
#endif

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

namespace preceptor::kernels {

template <class T>
T* dynamic_shared() {
  return static_cast<T*>(emulator::dynamic_shared_memory());
}

// As the CUDA launch, but executed before it returns.
template <class... Parameters, class... Arguments>
void launch(const Emulated& gpu, void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            const Arguments&... arguments) {
  // Parameters live in constant memory of their own, so that reads of any other host memory can be refused.
  const auto parameters = std::make_tuple(kernel, static_cast<Parameters>(arguments)...);
  using Tuple = std::remove_const_t<decltype(parameters)>;
  const auto invoke = [](const void* memory) {
    std::apply([](auto function, const auto&... values) { function(values...); }, *static_cast<const Tuple*>(memory));
  };
  emulator::run_grid(
      gpu, {reinterpret_cast<const void*>(kernel), grid, block, shared_bytes, &parameters, sizeof parameters, invoke});
}

namespace emulator {

template <class T>
T shuffle_value(unsigned mask, T value, int source, Place place) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
  Shuffle lane{0, source, 0};
  std::memcpy(&lane.value, &value, sizeof value);
  shuffle(mask, lane, place);
  std::memcpy(&value, &lane.result, sizeof value);
  return value;
}

}  // namespace emulator
}  // namespace preceptor::kernels

// The runtime, and the place of a call as a last parameter that callers leave out.
namespace emulator_runtime = preceptor::kernels::emulator;
#define CALL_PLACE emulator_runtime::Place place = emulator_runtime::Place::current()

// Barriers of the block.
inline void __syncthreads(CALL_PLACE) { emulator_runtime::barrier(0, place); }
inline int __syncthreads_count(int predicate, CALL_PLACE) { return emulator_runtime::barrier(predicate, place); }
inline int __syncthreads_or(int predicate, CALL_PLACE) { return emulator_runtime::barrier(predicate, place) != 0; }
inline int __syncthreads_and(int predicate, CALL_PLACE) { return emulator_runtime::barrier(!predicate, place) == 0; }

// Collectives of the warp.
inline void __syncwarp(unsigned mask = 0xffffffffu, CALL_PLACE) {
  emulator_runtime::collective(mask, nullptr, nullptr, place);
}
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32, CALL_PLACE) {
  const int lane = emulator_runtime::lane_of_this_thread();
  return emulator_runtime::shuffle_value(mask, value, (lane & ~(width - 1)) + (source & (width - 1)), place);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32, CALL_PLACE) {
  const int lane = emulator_runtime::lane_of_this_thread(), in_group = lane & (width - 1);
  const int source = in_group + static_cast<int>(distance) < width ? lane + static_cast<int>(distance) : lane;
  return emulator_runtime::shuffle_value(mask, value, source, place);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = 32, CALL_PLACE) {
  const int lane = emulator_runtime::lane_of_this_thread(), in_group = lane & (width - 1);
  const int source = in_group >= static_cast<int>(distance) ? lane - static_cast<int>(distance) : lane;
  return emulator_runtime::shuffle_value(mask, value, source, place);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32, CALL_PLACE) {
  const int lane = emulator_runtime::lane_of_this_thread(), other = lane ^ bits;
  // Lanes of earlier groups may be read, those of later groups give the own value (PTX, shfl.bfly).
  const int source = other <= (lane | (width - 1)) ? other : lane;
  return emulator_runtime::shuffle_value(mask, value, source, place);
}
#define PRECEPTOR_VOTE(name, type, given, combined)                                                       \
  inline type name(unsigned mask, type value, CALL_PLACE) {                                               \
    const auto combine = [](unsigned a, unsigned b) { return static_cast<unsigned>(combined); };          \
    return static_cast<type>(emulator_runtime::vote(mask, static_cast<unsigned>(given), combine, place)); \
  }
PRECEPTOR_VOTE(__all_sync, int, value != 0, a& b)
PRECEPTOR_VOTE(__any_sync, int, value != 0, a | b)
PRECEPTOR_VOTE(__reduce_add_sync, unsigned, value, a + b)
PRECEPTOR_VOTE(__reduce_add_sync, int, value, a + b)
PRECEPTOR_VOTE(__reduce_min_sync, unsigned, value, std::min(a, b))
PRECEPTOR_VOTE(__reduce_min_sync, int, value, std::min(static_cast<int>(a), static_cast<int>(b)))
PRECEPTOR_VOTE(__reduce_max_sync, unsigned, value, std::max(a, b))
PRECEPTOR_VOTE(__reduce_max_sync, int, value, std::max(static_cast<int>(a), static_cast<int>(b)))
PRECEPTOR_VOTE(__reduce_and_sync, unsigned, value, a& b)
PRECEPTOR_VOTE(__reduce_or_sync, unsigned, value, a | b)
PRECEPTOR_VOTE(__reduce_xor_sync, unsigned, value, a ^ b)
#undef PRECEPTOR_VOTE
inline unsigned __ballot_sync(unsigned mask, int predicate, CALL_PLACE) {
  const unsigned own = predicate ? 1u << emulator_runtime::lane_of_this_thread() : 0u;
  return emulator_runtime::vote(
      mask, own, [](unsigned a, unsigned b) { return a | b; }, place);
}

// Memory: fences order what a block wrote before an atomic that another block reads.
EMULATOR_UNWATCHED void __threadfence() { emulator_runtime::fence(); }
template <class T>
EMULATOR_UNWATCHED T __ldg(const T* p) {
  emulator_runtime::watch(p, sizeof(T), emulator_runtime::Access::read, __builtin_return_address(0));
  return *p;
}

// Atomics give the old value.
#define PRECEPTOR_ATOMIC(name, expression)                                                                            \
  template <class T>                                                                                                  \
  EMULATOR_UNWATCHED T name(T* p, std::type_identity_t<T> value) {                                                    \
    emulator_runtime::watch(p, sizeof(T), emulator_runtime::Access::atomic, __builtin_return_address(0));             \
    T old = __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                                     \
    while (                                                                                                           \
        !__atomic_compare_exchange_n(p, &old, static_cast<T>(expression), false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) \
      ;                                                                                                               \
    return old;                                                                                                       \
  }
PRECEPTOR_ATOMIC(atomicAdd, old + value)
PRECEPTOR_ATOMIC(atomicSub, old - value)
PRECEPTOR_ATOMIC(atomicExch, value)
PRECEPTOR_ATOMIC(atomicMin, old < value ? old : value)
PRECEPTOR_ATOMIC(atomicMax, old > value ? old : value)
PRECEPTOR_ATOMIC(atomicAnd, old& value)
PRECEPTOR_ATOMIC(atomicOr, old | value)
PRECEPTOR_ATOMIC(atomicXor, old ^ value)
PRECEPTOR_ATOMIC(atomicInc, old >= value ? 0 : old + 1)
#undef PRECEPTOR_ATOMIC
template <class T>
EMULATOR_UNWATCHED T atomicCAS(T* p, std::type_identity_t<T> compare, std::type_identity_t<T> value) {
  emulator_runtime::watch(p, sizeof(T), emulator_runtime::Access::atomic, __builtin_return_address(0));
  __atomic_compare_exchange_n(p, &compare, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return compare;
}

#undef CALL_PLACE

// Arithmetic. The fast forms are exact here: what they lose on a card is not modelled.
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __fsqrt_rn(float x) { return std::sqrt(x); }
using std::max;
using std::min;
inline unsigned __float_as_uint(float x) {
  unsigned bits;
  std::memcpy(&bits, &x, 4);
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
