// Updates of all parameters and the norm of all gradients on cuda and emulated, each in one launch over equal chunks.
#include "kernels/optimizer/optimizer.h"

#include <cmath>

#include "kernels/device/gpu.h"
#include "kernels/device/group.cuh"
#include "kernels/device/reduce.cuh"

namespace preceptor::kernels {
namespace {

constexpr int threads = 512;  // per block: four times 16 bytes of each array per thread and chunk
static_assert(update_chunk == 4 * threads * Pack<float>::count);

// The part of a segment that a block handles.
struct Chunk {
  UpdateSegment segment;
  std::int64_t begin, end;  // elements
};

// By all lanes of one warp: the segment of a chunk, in one look at 32 of them at a time, for 1024 segments two.
__device__ int find_segment(const UpdateSegment* segments, int segment_count, std::int64_t chunk) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  int first = 0, candidates = segment_count;
  while (candidates > 1) {
    const int step = (candidates + warp_size - 1) / warp_size, at = lane * step;
    const bool not_behind = at < candidates && segments[first + at].first_chunk <= chunk;
    const int skipped = (__popc(__ballot_sync(all_lanes, not_behind)) - 1) * step;
    first += skipped;
    candidates = min(step, candidates - skipped);
  }
  return first;
}

// By all lanes of one warp: the block's chunk, into shared memory.
__device__ void find_chunk(const UpdateSegment* segments, int segment_count, Chunk& chunk) {
  const std::int64_t number = blockIdx.x;
  const int index = find_segment(segments, segment_count, number);
  if (threadIdx.x % warp_size != 0) return;
  const UpdateSegment segment = segments[index];
  chunk.segment = segment;
  chunk.begin = (number - segment.first_chunk) * update_chunk;
  chunk.end = min(chunk.begin + update_chunk, segment.count);
}

// Calls the two functions for the whole groups of 16 bytes of a chunk and for what is left, which is all of it where
// the arrays do not start at multiples of 16 bytes.
template <class Function>
__device__ void for_groups(const Chunk& chunk, bool aligned, const Function& function) {
  const std::int64_t length = chunk.end - chunk.begin;
  const std::int64_t whole = aligned ? length - length % Pack<float>::count : 0;
  function(Pack<float>{}, chunk.begin, chunk.begin + whole);
  function(Single<float>{}, chunk.begin + whole, chunk.end);
}

// Values that are the same for all elements of a chunk.
struct Rates {
  float gradient_scale;
  float rate;           // adam: divided by the first moment's correction
  float shrink, decay;  // weight decay beside the gradient or in it
  float add1, add2, inverse_root_correction2;
  int first_step;  // 0 or 1; a bool would leave padding, uninitialized when copied
};

// By all lanes of one warp. In double, as 1 - beta^t has four digits in float; a double power is hundreds of
// instructions, so one warp computes both at once, one in the even and one in the odd lanes.
template <bool adam>
__device__ void find_rates(const Update& a, const UpdateSegment& segment, Rates& rates) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const std::int64_t steps_done = a.state->step - segment.start;
  double correction = 1, correction2 = 1;
  if constexpr (adam) {
    const double beta = static_cast<double>(lane % 2 == 0 ? a.beta1 : a.beta2);
    correction = 1 - std::pow(beta, static_cast<double>(steps_done + 1));
    correction2 = __shfl_sync(all_lanes, correction, 1);
  }
  if (lane != 0) return;
  const double rate = static_cast<double>(a.state->learning_rate) * static_cast<double>(segment.learning_rate_scale);
  const bool decoupled = a.rule == UpdateRule::adamw;
  rates = {.gradient_scale = a.gradient_scale ? *a.gradient_scale : 1,
           .rate = static_cast<float>(rate / correction),
           .shrink = decoupled ? static_cast<float>(rate * static_cast<double>(segment.weight_decay)) : 0,
           .decay = decoupled ? 0 : segment.weight_decay,
           .add1 = static_cast<float>(1 - static_cast<double>(a.beta1)),
           .add2 = static_cast<float>(1 - static_cast<double>(a.beta2)),
           .inverse_root_correction2 = static_cast<float>(1 / std::sqrt(correction2)),
           .first_step = steps_done == 0};
}

// The gradient as the rule takes it: scaled, clamped (in a form that keeps a NaN), with weight decay by what the value
// exceeds its origin.
__device__ inline float settled_gradient(const Update& a, const Rates& rates, float raw, float excess) {
  float gradient = raw * rates.gradient_scale;
  if (a.clip_value > 0) {
    gradient = gradient > a.clip_value ? a.clip_value : gradient;
    gradient = gradient < -a.clip_value ? -a.clip_value : gradient;
  }
  return fmaf(rates.decay, excess, gradient);
}

// Whole groups in [begin, end).
template <bool adam, class Group>
__device__ void update_groups(const Update& a, const UpdateSegment& s, const Rates& rates, std::int64_t begin,
                              std::int64_t end) {
  for (std::int64_t i = begin + threadIdx.x * Group::count; i < end; i += threads * Group::count) {
    Group value = load_group<Group>(s.value + i), first{}, second{}, origin{};
    const Group raw = load_group<Group>(s.gradient + i);
    if (s.origin) origin = load_group<Group>(s.origin + i);
    // On the first step the momentum is the gradient, whatever the memory held.
    if (adam || (s.first && !rates.first_step)) first = load_group<Group>(s.first + i);
    if (adam) second = load_group<Group>(s.second + i);
#pragma unroll
    for (int j = 0; j < Group::count; ++j) {
      float &p = value.value[j], &m = first.value[j], &v = second.value[j];
      const float excess = p - origin.value[j], gradient = settled_gradient(a, rates, raw.value[j], excess);
      if constexpr (adam) {
        m = fmaf(rates.add1, gradient - m, m);
        v = fmaf(rates.add2 * gradient, gradient, a.beta2 * v);
        p = fmaf(-rates.shrink, excess, p) - rates.rate * m / fmaf(sqrtf(v), rates.inverse_root_correction2, a.epsilon);
      } else {
        m = !s.first || rates.first_step ? gradient : fmaf(a.momentum, m, gradient);
        p = fmaf(-rates.rate, s.first && a.nesterov ? fmaf(a.momentum, m, gradient) : m, p);
      }
    }
    store_group(s.value + i, value);
    if (adam || s.first) store_group(s.first + i, first);
    if (adam) store_group(s.second + i, second);
    if (s.rounded) {
      Narrow<bfloat16, Group::count> rounded;
#pragma unroll
      for (int j = 0; j < Group::count; ++j) rounded.value[j] = bfloat16(value.value[j]);
      store_narrow(s.rounded + i, rounded);
    }
  }
}

// mapping: a block per chunk of a segment, however long the segments are; bytes: value, gradient, origin and state
// read, value, state and rounded copy written, once; operations: 4 (sgd) to 16 (adam) per element; hazard: what depends
// on the step is computed by one warp, all others wait for it.
template <bool adam>
__global__ void __launch_bounds__(threads, 2) update(Update a) {
  SHARED(Chunk, chunk, );
  SHARED(Rates, rates, );
  if (threadIdx.x < warp_size) {
    find_chunk(a.segments, a.segment_count, chunk);
    __syncwarp();  // the segment, written by lane 0, is read by all
    find_rates<adam>(a, chunk.segment, rates);
  }
  __syncthreads();
  const UpdateSegment s = chunk.segment;
  const Rates own = rates;
  const bool aligned = aligned16(s.value, s.gradient, s.first, s.second, s.origin) &&
                       reinterpret_cast<std::uintptr_t>(s.rounded) % (Pack<float>::count * sizeof(bfloat16)) == 0;
  for_groups(chunk, aligned, [&](auto group, std::int64_t begin, std::int64_t end) {
    update_groups<adam, decltype(group)>(a, s, own, begin, end);
  });
}

// mapping: as update, a partial sum per chunk, which the last block adds in order; bytes: gradients read; operations: 2
// per element; hazard: squares in double, those of floats above 1e19 overflow.
__global__ void __launch_bounds__(threads) norm(GradientNorm a, unsigned* ticket) {
  SHARED(Chunk, chunk, );
  if (threadIdx.x < warp_size) find_chunk(a.segments, a.segment_count, chunk);
  __syncthreads();
  const float* gradient = chunk.segment.gradient;
  double sum = 0;
  for_groups(chunk, aligned16(gradient), [&](auto group, std::int64_t begin, std::int64_t end) {
    using Group = decltype(group);
    for (std::int64_t i = begin + threadIdx.x * Group::count; i < end; i += threads * Group::count) {
      const Group values = load_group<Group>(gradient + i);
      for (int j = 0; j < Group::count; ++j) {
        const double value = static_cast<double>(values.value[j]);
        sum = fma(value, value, sum);
      }
    }
  });
  sum = reduce_block(sum, Sum{}, 0.0);
  double* partial = static_cast<double*>(a.workspace);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
  if (last_block(ticket, gridDim.x)) {
    double square = 0;
    for (unsigned i = threadIdx.x; i < gridDim.x; i += threads) square += partial[i];
    square = reduce_block(square, Sum{}, 0.0);
    if (threadIdx.x == 0) {
      const double length = std::sqrt(square), scale = static_cast<double>(a.max_norm) / (length + 1e-6);
      *a.norm = static_cast<float>(length);
      *a.scale = scale > 1 ? 1 : static_cast<float>(scale);  // a NaN passes
    }
  }
}

// mapping: one thread; bytes: 16; operations: 1.
__global__ void advance(StepState* state) {
  if (threadIdx.x == 0) state->step += 1;
}

}  // namespace

void run_on(Gpu gpu, const Update& a) {
  if (a.rule == UpdateRule::sgd)
    launch(gpu, update<false>, a.chunks, threads, 0, a);
  else
    launch(gpu, update<true>, a.chunks, threads, 0, a);
}

void run_on(Gpu gpu, const GradientNorm& a) { launch(gpu, norm, a.chunks, threads, 0, a, gpu.tickets); }

void run_on(Gpu gpu, const AdvanceStep& a) { launch(gpu, advance, 1, warp_size, 0, a.state); }

}  // namespace preceptor::kernels
