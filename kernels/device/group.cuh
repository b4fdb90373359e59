// The unit that a thread moves in one access: 16 bytes, or one value if the alignment allows no more. Kernels are
// written once for both, with the group as their template argument: Pack<T> (load16.cuh) or Single<T>.
#pragma once

#include "kernels/device/load16.cuh"

namespace preceptor::kernels {

template <class T>
struct Single {
  static constexpr int count = 1;
  T value[1];
};

// Neighboring values that fill 8 bytes or fewer, in one access; they begin at a multiple of their size.
template <class T, int size>
struct alignas(size * sizeof(T)) Narrow {
  static constexpr int count = size;
  T value[size];
};
#ifdef __CUDACC__
template <class T, int size>
__device__ inline Narrow<T, size> load_narrow(const T* p) {
  return *reinterpret_cast<const Narrow<T, size>*>(p);
}
template <class T, int size>
__device__ inline void store_narrow(T* p, const Narrow<T, size>& values) {
  *reinterpret_cast<Narrow<T, size>*>(p) = values;
}
#else
template <class T, int size>
EMULATOR_UNWATCHED Narrow<T, size> load_narrow(const T* p, emulator::Place place = emulator::Place::current()) {
  emulator::require_aligned(p, size * sizeof(T), place);
  emulator::watch(p, size * sizeof(T), emulator::Access::read, __builtin_return_address(0));
  return *reinterpret_cast<const Narrow<T, size>*>(p);
}
template <class T, int size>
EMULATOR_UNWATCHED void store_narrow(T* p, const Narrow<T, size>& values,
                                     emulator::Place place = emulator::Place::current()) {
  emulator::require_aligned(p, sizeof values, place);
  emulator::watch(p, sizeof values, emulator::Access::write, __builtin_return_address(0));
  *reinterpret_cast<Narrow<T, size>*>(p) = values;
}
#endif

// Calls launch_for(group) with the group that alignment allows.
template <class T, class Launch>
void with_group(bool aligned, const Launch& launch_for) {
  aligned ? launch_for(Pack<T>{}) : launch_for(Single<T>{});
}

// The group of `count` values of at most 16 bytes.
template <class T, int count>
using GroupOf =
    std::conditional_t<count == 1, Single<T>, std::conditional_t<count == Pack<T>::count, Pack<T>, Narrow<T, count>>>;

template <class Group, class T>
__device__ inline Group load_group(const T* p) {
  if constexpr (Group::count == 1)
    return {{*p}};
  else if constexpr (Group::count == Pack<T>::count)
    return load16(p);
  else
    return load_narrow<T, Group::count>(p);
}
template <class T>
__device__ inline void store_group(T* p, const Pack<T>& group) {
  store16(p, group);
}
template <class T>
__device__ inline void store_group(T* p, const Single<T>& group) {
  *p = group.value[0];
}
template <class T, int size>
__device__ inline void store_group(T* p, const Narrow<T, size>& group) {
  store_narrow(p, group);
}

// `count` neighboring floats; p is a multiple of 16 bytes unless count is 1.
template <int count>
__device__ inline void load_floats(const float* p, float (&values)[count]) {
  using Group = std::conditional_t<count == 1, Single<float>, Pack<float>>;
  static_assert(count % Group::count == 0);
  for (int i = 0; i < count; i += Group::count) {
    const Group group = load_group<Group>(p + i);
    for (int j = 0; j < Group::count; ++j) values[i + j] = group.value[j];
  }
}
template <int count>
__device__ inline void store_floats(float* p, const float (&values)[count]) {
  using Group = std::conditional_t<count == 1, Single<float>, Pack<float>>;
  static_assert(count % Group::count == 0);
  for (int i = 0; i < count; i += Group::count) {
    Group group;
    for (int j = 0; j < Group::count; ++j) group.value[j] = values[i + j];
    store_group(p + i, group);
  }
}

}  // namespace preceptor::kernels
