// The one header that a .cu file includes: the same kernel source for nvcc (cuda) and for g++ (emulated).
//
// Rules of kernel source, so that both compile it and the emulator can watch it:
// - SHARED(float, tile, [16][17]); for static shared memory, dynamic_shared<float>() for dynamic;
// - launch(gpu, kernel, grid, block, shared_bytes, arguments...) instead of <<<>>>;
// - vectors of 16 bytes through load16/store16 (load16.cuh), PTX through named functions with a host body;
// - blocks are multiples of 32 threads; collectives name all lanes of a warp; a kernel that synchronizes never returns
//   early: threads out of range carry neutral values;
// - multiply-adds are written fmaf(): neither compiler contracts expressions, so both devices round alike.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/device/bfloat16.h"
#include "kernels/device/device.h"

#ifdef __CUDACC__
#include "kernels/device/cuda/launch.h"
#else
#include "kernels/device/emulator/model.h"
#endif

namespace preceptor::kernels {

// The device that this compilation is for: run_on(Gpu, ...) in a .cu file defines the overload for Cuda or Emulated.
#ifdef __CUDACC__
using Gpu = Cuda;
#else
using Gpu = Emulated;
#endif

constexpr int warp_size = 32;
constexpr unsigned all_lanes = 0xffffffffu;

// Smallest whole number of `step`s that covers `count`.
__host__ __device__ constexpr std::int64_t steps(std::int64_t count, std::int64_t step) {
  return (count + step - 1) / step;
}

// Storage to arithmetic and back: the only conversions that kernels use.
__device__ inline float to_float(float value) { return value; }
__device__ inline float to_float(bfloat16 value) { return static_cast<float>(value); }
template <class T>
__device__ inline T from_float(float value) {
  return static_cast<T>(value);
}

}  // namespace preceptor::kernels
