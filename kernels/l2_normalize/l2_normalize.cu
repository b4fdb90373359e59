// Normalization on cuda and on the emulated device: a block takes a row, or 32 groups that lie side by side.
#include "kernels/l2_normalize/l2_normalize.h"

#include <algorithm>
#include <cmath>

#include "kernels/device/gpu.h"
#include "kernels/device/reduce.cuh"

namespace preceptor::kernels {
namespace {

constexpr int most_threads = 256;  // of a block
constexpr int warps = most_threads / warp_size;

// One group, whose values lie together: the threads of the block take turns.
struct RowWalk {
  std::int64_t group, begin;
  int length;
  bool writes;  // this thread writes what belongs to the group

  template <class Arguments>
  __device__ explicit RowWalk(const Arguments& a)
      : group(blockIdx.x), begin(group * a.length), length(a.length), writes(threadIdx.x == 0) {}
  template <class Body>
  __device__ void for_each(const Body& body) const {
    for (int i = static_cast<int>(threadIdx.x); i < length; i += static_cast<int>(blockDim.x)) body(begin + i);
  }
  __device__ double total(double value) const { return reduce_block(value, Sum{}, 0.0); }
};

// 32 groups side by side, a lane each, the warps of the block take turns with their values: a warp reads neighbors.
struct ColumnWalk {
  std::int64_t group, begin;
  int length, inner;
  bool writes;

  template <class Arguments>
  __device__ explicit ColumnWalk(const Arguments& a) : inner(a.inner) {
    const int parts = static_cast<int>(steps(a.inner, warp_size)), lane = static_cast<int>(threadIdx.x) % warp_size;
    const int outer = static_cast<int>(blockIdx.x) / parts;
    const int column = static_cast<int>(blockIdx.x) % parts * warp_size + lane;
    group = static_cast<std::int64_t>(outer) * inner + column;
    begin = static_cast<std::int64_t>(outer) * a.length * inner + column;
    length = column < inner ? a.length : 0;  // lanes behind the last group add nothing
    writes = threadIdx.x < warp_size && column < inner;
  }
  template <class Body>
  __device__ void for_each(const Body& body) const {
    for (int i = static_cast<int>(threadIdx.x) / warp_size; i < length; i += warps)
      body(begin + static_cast<std::int64_t>(i) * inner);
  }
  __device__ double total(double value) const {
    SHARED(double, sums, [warps][warp_size]);
    const int lane = static_cast<int>(threadIdx.x) % warp_size;
    sums[threadIdx.x / warp_size][lane] = value;
    __syncthreads();
    value = 0;
    for (int warp = 0; warp < warps; ++warp) value += sums[warp][lane];
    __syncthreads();
    return value;
  }
};

// mapping: Walk; bytes: x read for the mean, for the norm and for y, y written; operations: 5 per value; hazard: the
// norm is summed around the mean, in double: a constant group has exactly none.
template <class T, class Walk>
__global__ void __launch_bounds__(most_threads) normalize_groups(L2Normalize<T> a) {
  const Walk walk(a);
  double mean = 0, square = 0;
  if (a.center) {
    walk.for_each([&](std::int64_t at) { mean += static_cast<double>(to_float(a.x[at])); });
    mean = walk.total(mean) / a.length;
  }
  walk.for_each([&](std::int64_t at) {
    const double x = static_cast<double>(to_float(a.x[at])) - mean;
    square += x * x;
  });
  const double norm = std::sqrt(walk.total(square)), epsilon = static_cast<double>(a.epsilon);
  // Written so that a NaN passes.
  const double factor = static_cast<double>(a.scale) / (norm < epsilon ? epsilon : norm);
  walk.for_each([&](std::int64_t at) {
    a.y[at] = from_float<T>(static_cast<float>(factor * (static_cast<double>(to_float(a.x[at])) - mean)));
  });
  if (walk.writes) a.inverse[walk.group] = norm <= epsilon ? 0.0f : static_cast<float>(1 / norm);
}

// mapping: Walk; bytes: y and d_y read twice, d_x written; operations: 7 per value; hazard: d_x may be d_y's memory, a
// thread writes only what it alone reads.
template <class T, class Walk>
__global__ void __launch_bounds__(most_threads) normalize_groups_backward(L2NormalizeBackward<T> a) {
  const Walk walk(a);
  double mean = 0, projection = 0;
  walk.for_each([&](std::int64_t at) {
    const double d_y = static_cast<double>(to_float(a.d_y[at]));
    mean += d_y;
    projection += d_y * static_cast<double>(to_float(a.y[at]));
  });
  mean = a.center ? walk.total(mean) / a.length : 0;
  const double scale = static_cast<double>(a.scale);
  projection = walk.total(projection) / (scale * scale);
  const double inverse = walk.length > 0 ? static_cast<double>(a.inverse[walk.group]) : 0;
  walk.for_each([&](std::int64_t at) {
    const double d_y = static_cast<double>(to_float(a.d_y[at])), y = static_cast<double>(to_float(a.y[at]));
    a.d_x[at] = from_float<T>(static_cast<float>(scale * inverse * (d_y - mean - projection * y)));
  });
}

template <class Arguments>
void launch_walk(Gpu gpu, void (*rows)(Arguments), void (*columns)(Arguments), const Arguments& a) {
  if (a.inner == 1) {
    const int threads = static_cast<int>(steps(a.length, 4 * warp_size)) * warp_size;
    launch(gpu, rows, a.outer, std::min(threads, most_threads), 0, a);
  } else {
    launch(gpu, columns, a.outer * steps(a.inner, warp_size), most_threads, 0, a);
  }
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const L2Normalize<T>& a) {
  launch_walk(gpu, normalize_groups<T, RowWalk>, normalize_groups<T, ColumnWalk>, a);
}
template <class T>
void run_on(Gpu gpu, const L2NormalizeBackward<T>& a) {
  launch_walk(gpu, normalize_groups_backward<T, RowWalk>, normalize_groups_backward<T, ColumnWalk>, a);
}
template void run_on(Gpu, const L2Normalize<float>&);
template void run_on(Gpu, const L2Normalize<bfloat16>&);
template void run_on(Gpu, const L2NormalizeBackward<float>&);
template void run_on(Gpu, const L2NormalizeBackward<bfloat16>&);

}  // namespace preceptor::kernels
