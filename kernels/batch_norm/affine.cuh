// The affine map of a batch norm's channels, as the threads of a block share it.
#pragma once

#include "kernels/batch_norm/bn_apply.h"
#include "kernels/batch_norm/reduce_rows.cuh"
#include "kernels/device/channels_last.cuh"

namespace preceptor::kernels {

// True if a value is still above zero once it is stored. bfloat16 rounds up to 2^-134, half its smallest number, to 0.
template <class T>
__device__ bool stored_positive(float value) {
  return value > (sizeof(T) == sizeof(bfloat16) ? 0x1p-134f : 0.0f);
}

// The affine map of a tile's channels, staged by the threads of the block's first row: parameters are
// read once a block.
template <int width>
struct Affine {
  float mean[width], scale[width], offset[width];

  // scale is nullptr: it comes from gamma and variance. offset is nullptr: not needed.
  __device__ static void stage(float (&staged)[3][Staging<width>::size], const Position& at, const float* mean,
                               const float* scale, const float* gamma, const float* variance, float epsilon,
                               const float* offset) {
    if (at.row != 0 || !at.inside) return;
    Affine own;
    load_floats(mean + at.channel, own.mean);
    load_floats((scale ? scale : gamma) + at.channel, own.scale);
    if (!scale) {
      float deviation[width];
      load_floats(variance + at.channel, deviation);
#pragma unroll
      for (int j = 0; j < width; ++j) own.scale[j] *= 1 / sqrtf(deviation[j] + epsilon);
    }
    Staging<width>::put(staged[0], at.lane, own.mean);
    Staging<width>::put(staged[1], at.lane, own.scale);
    if (!offset) return;
    load_floats(offset + at.channel, own.offset);
    Staging<width>::put(staged[2], at.lane, own.offset);
  }
  __device__ void fetch(const float (&staged)[3][Staging<width>::size], const Position& at, bool with_offset) {
    if (!at.inside) return;
    Staging<width>::get(staged[0], at.lane, mean);
    Staging<width>::get(staged[1], at.lane, scale);
    if (with_offset) Staging<width>::get(staged[2], at.lane, offset);
  }
};

}  // namespace preceptor::kernels
