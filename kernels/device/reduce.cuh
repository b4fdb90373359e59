// Reductions over lanes, blocks and grids, always in the same order: the same bits for any launch order.
#pragma once

#include "kernels/device/gpu.h"

namespace preceptor::kernels {

struct Sum {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Maximum {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};

// `combine` over groups of `width` neighboring lanes, a power of two; every lane of a group gets the result. In a
// butterfly all lanes add the same pairs, so all get the same bits. All lanes of the warp must take part.
template <class T, class Combine>
__device__ T reduce_lanes(T value, const Combine& combine, int width = warp_size) {
  for (int distance = width / 2; distance > 0; distance /= 2)
    value = combine(value, __shfl_xor_sync(all_lanes, value, distance));
  return value;
}

// `combine` over all threads of a one-dimensional block of whole warps; every thread gets the result. `neutral` is what
// absent warps count. Ends with a barrier, so the next call may reuse the shared memory.
template <class T, class Combine>
__device__ T reduce_block(T value, const Combine& combine, T neutral) {
  SHARED(T, by_warp, [warp_size]);
  const int lane = static_cast<int>(threadIdx.x) % warp_size, warp = static_cast<int>(threadIdx.x) / warp_size;
  value = reduce_lanes(value, combine);
  if (lane == 0) by_warp[warp] = value;
  __syncthreads();
  value = lane < static_cast<int>(blockDim.x) / warp_size ? by_warp[lane] : neutral;
  value = reduce_lanes(value, combine);
  __syncthreads();
  return value;
}

// `combine` of several values at once over the block: one exchange through shared memory for all. With the same
// template arguments to be called once in a kernel: no barrier guards the memory against a second call.
template <int count, class Combine>
__device__ void combine_block(float (&value)[count], const Combine& combine, float neutral) {
  SHARED(float, by_warp, [count][warp_size]);
  const int lane = static_cast<int>(threadIdx.x) % warp_size, warp = static_cast<int>(threadIdx.x) / warp_size;
  for (int i = 0; i < count; ++i) {
    value[i] = reduce_lanes(value[i], combine);
    if (lane == 0) by_warp[i][warp] = value[i];
  }
  __syncthreads();
  const bool present = lane < static_cast<int>(blockDim.x) / warp_size;
  for (int i = 0; i < count; ++i) value[i] = reduce_lanes(present ? by_warp[i][lane] : neutral, combine);
}

// True in the block that comes last of the `blocks` that call this with the same ticket: what the others wrote before
// is then visible to all its threads. The ticket is 0 before and after. To be called by all threads of the block.
__device__ inline bool last_block(unsigned* ticket, unsigned blocks) {
  SHARED(bool, last, );
  // Each thread makes its own writes visible before the barrier tells thread 0 that all have done so.
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0) {
    last = atomicAdd(ticket, 1u) == blocks - 1;
    if (last) atomicExch(ticket, 0u);
    __threadfence();
  }
  __syncthreads();
  return last;
}

}  // namespace preceptor::kernels
