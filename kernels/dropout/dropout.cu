// Dropout on cuda and emulated: a thread draws the random numbers of the channels that it moves.
#include "kernels/dropout/dropout.h"

#include "kernels/device/channels_last.cuh"
#include "kernels/device/fast_divmod.h"
#include "kernels/device/gpu.h"
#include "kernels/device/philox.h"

namespace preceptor::kernels {
namespace {

constexpr int threads = 128, unroll = 4;  // groups of a thread, all on their way before one is used

// The same for all values of a launch.
struct Draw {
  const StepState* state;
  std::uint64_t first_counter;
  std::uint32_t threshold;
  float scale;
  int quads;
};

__device__ float drop(float value, std::uint32_t random, const Draw& draw) {
  return random >= draw.threshold ? value * draw.scale : 0.0f;
}

// The values of a group that begins at `channel` of a pixel.
template <class Group, class T>
__device__ Group drop_group(const Group& in, std::int64_t pixel, int channel, const Draw& draw, std::uint64_t seed,
                            std::uint64_t step) {
  constexpr int together = Group::count < 4 ? 1 : 4;
  Group out;
#pragma unroll
  for (int i = 0; i < Group::count; i += together) {
    const auto random =
        philox(seed, step, draw.first_counter + static_cast<std::uint64_t>(pixel * draw.quads + (channel + i) / 4));
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if constexpr (together == 4)
        out.value[i + j] = from_float<T>(drop(to_float(in.value[i + j]), random[j], draw));
      else if (channel % 4 == j)
        out.value[0] = from_float<T>(drop(to_float(in.value[0]), random[j], draw));
    }
  }
  return out;
}

// mapping: neighboring threads take neighboring groups of channels, a thread four of them a block's width apart;
// bytes: x read, y written; operations: one philox, about 80, per four values, per value where alignment allows single
// values only; hazard: y may be the memory of x, so a thread reads all its groups before it writes.
template <class T, class Group>
__global__ void __launch_bounds__(threads)
    drop_maps(FeatureMap<const T> x, FeatureMap<T> y, FastDivmod row_groups, int groups, const Draw draw) {
  const std::uint64_t seed = draw.state->seed, step = static_cast<std::uint64_t>(draw.state->step);
  const int first = static_cast<int>(blockIdx.x) * (threads * unroll) + static_cast<int>(threadIdx.x);
  Group in[unroll];
#pragma unroll
  for (int u = 0; u < unroll; ++u) {
    const int group = first + u * threads, row = row_groups.quotient(group);
    if (group < groups) in[u] = load_group<Group>(row_at(x, row, (group - row * row_groups.divisor()) * Group::count));
  }
#pragma unroll
  for (int u = 0; u < unroll; ++u) {
    const int group = first + u * threads, row = row_groups.quotient(group);
    if (group >= groups) return;
    const int channel = (group - row * row_groups.divisor()) * Group::count;
    store_group(row_at(y, row, channel), drop_group<Group, T>(in[u], row, channel, draw, seed, step));
  }
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const Dropout<T>& a) {
  const Draw draw{a.state, a.first_counter(), a.threshold(), a.scale(), a.quads()};
  with_group<T>(rows_aligned(a.x) && rows_aligned(a.y), [&](auto group) {
    using Group = decltype(group);
    const int row_groups = a.x.channels / Group::count;
    const std::int64_t groups = static_cast<std::int64_t>(a.x.images) * a.x.plane() * row_groups;
    assert(groups + threads * unroll < std::int64_t{1} << 31);
    launch(gpu, drop_maps<T, Group>, steps(groups, threads * unroll), threads, 0, a.x, a.y, FastDivmod(row_groups),
           static_cast<int>(groups), draw);
  });
}
template void run_on(Gpu, const Dropout<float>&);
template void run_on(Gpu, const Dropout<bfloat16>&);

}  // namespace preceptor::kernels
