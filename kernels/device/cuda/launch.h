// Shared memory and launches for kernel source that nvcc compiles.
#pragma once

#include <cuda_runtime.h>

#include "kernels/device/cuda/status.h"
#include "kernels/device/device.h"

// Static shared memory: SHARED(float, tile, [16][17]); or SHARED(bool, last, );
#define SHARED(type, name, extents) __shared__ type name extents

namespace preceptor::kernels {

// The dynamic shared memory of the block, aligned to 16 bytes.
template <class T>
__device__ T* dynamic_shared() {
  extern __shared__ __align__(16) unsigned char dynamic_shared_memory[];
  return reinterpret_cast<T*>(dynamic_shared_memory);
}

// kernel<<<grid, block, shared_bytes, stream>>>(arguments...), checked. Arguments are converted to the kernel's
// parameter types. More than 48 KiB of shared memory has to be asked for, once per kernel; asking again is cheap.
template <class... Parameters, class... Arguments>
void launch(Cuda gpu, void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            const Arguments&... arguments) {
  if (shared_bytes > 48 * 1024)
    CUDA_CHECK(
        cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shared_bytes)));
  kernel<<<grid, block, shared_bytes, static_cast<cudaStream_t>(gpu.stream)>>>(static_cast<Parameters>(arguments)...);
  CUDA_CHECK(cudaGetLastError());
}

}  // namespace preceptor::kernels
