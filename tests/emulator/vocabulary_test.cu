// Every CUDA function that kernel source may use, against the programming guide. The same tests run on a card.
#include <numeric>

#include "kernels/device/copy_async.cuh"
#include "kernels/device/load16.cuh"
#include "kernels/device/reduce.cuh"
#include "tests/emulator/launch.h"

namespace preceptor::test {
namespace {

class Vocabulary : public GpuTest {};

__global__ void write_coordinates(int* out) {
  const dim3 b = blockDim, g = gridDim;
  const unsigned thread = (threadIdx.z * b.y + threadIdx.y) * b.x + threadIdx.x;
  const unsigned block = (blockIdx.z * g.y + blockIdx.y) * g.x + blockIdx.x;
  out[block * b.x * b.y * b.z + thread] =
      static_cast<int>(block * 10000 + threadIdx.z * 100 + threadIdx.y * 10 + threadIdx.x);
}

TEST_F(Vocabulary, GridsAndBlocksOfThreeDimensions) {
  for (const Device& device : gpu_devices()) {
    const dim3 grid(3, 2, 2), block(4, 4, 2);
    DeviceBuffer<int> out(device, std::vector<int>(12 * 32, -1));
    launch_once(device, write_coordinates, grid, block, 0, out.data());
    const auto host = out.host();
    for (int b = 0; b < 12; ++b)
      for (int t = 0; t < 32; ++t)
        EXPECT_EQ(host[static_cast<std::size_t>(b * 32 + t)], b * 10000 + t / 16 * 100 + t / 4 % 4 * 10 + t % 4);
  }
}

__global__ void reverse_in_block(const float* in, float* out, int per_thread) {
  SHARED(float, fixed, [4][33]);
  float* dynamic = dynamic_shared<float>();
  const int n = static_cast<int>(blockDim.x), t = static_cast<int>(threadIdx.x);
  const int first = static_cast<int>(blockIdx.x) * n * per_thread;
  for (int i = 0; i < per_thread; ++i) dynamic[i * n + t] = in[first + i * n + t];
  fixed[t / 32][t % 32] = in[first + t];
  __syncthreads();
  for (int i = 0; i < per_thread; ++i) out[first + i * n + t] = dynamic[n * per_thread - 1 - (i * n + t)];
  if (fixed[(n - 1 - t) / 32][31 - t % 32] != dynamic[n - 1 - t]) out[first + t] = -1;
}

TEST_F(Vocabulary, StaticAndDynamicSharedMemory) {
  for (const Device& device : gpu_devices()) {
    std::vector<float> values(5 * 128 * 3);
    std::iota(values.begin(), values.end(), 0.0f);
    DeviceBuffer<float> in(device, values), out(device, std::vector<float>(values.size(), -2));
    launch_once(device, reverse_in_block, 5, 128, 128 * 3 * sizeof(float), in.data(), out.data(), 3);
    const auto host = out.host();
    for (std::size_t i = 0; i < host.size(); ++i) EXPECT_EQ(host[i], values[i / 384 * 384 + 383 - i % 384]) << i;
  }
}

__global__ void count_predicates(int* out) {
  const int t = static_cast<int>(threadIdx.x);
  const int counted = __syncthreads_count(t % 3 == 0), all = __syncthreads_and(t < 64),
            some = __syncthreads_or(t == 63);
  const int none = __syncthreads_or(t > 64), not_all = __syncthreads_and(t != 5);
  out[t] = counted * 10000 + all * 1000 + some * 100 + none * 10 + not_all;
}

TEST_F(Vocabulary, BarriersWithPredicates) {
  for (const Device& device : gpu_devices()) {
    DeviceBuffer<int> out(device, std::vector<int>(64));
    launch_once(device, count_predicates, 1, 64, 0, out.data());
    EXPECT_EQ(out.host(), std::vector<int>(64, 22 * 10000 + 1000 + 100));
  }
}

__global__ void shuffle_all_ways(int* out) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  int* mine = out + threadIdx.x * 8;
  mine[0] = __shfl_sync(all_lanes, lane * 10, 5);
  mine[1] = __shfl_sync(all_lanes, lane * 10, lane + 3, 8);
  mine[2] = __shfl_up_sync(all_lanes, lane, 2u);
  mine[3] = __shfl_up_sync(all_lanes, lane, 3u, 16);
  mine[4] = __shfl_down_sync(all_lanes, lane, 5u);
  mine[5] = __shfl_down_sync(all_lanes, lane, 1u, 4);
  mine[6] = __shfl_xor_sync(all_lanes, lane, 12);
  mine[7] = static_cast<int>(__shfl_xor_sync(all_lanes, static_cast<double>(lane) + 0.5, 1) * 2);
}

TEST_F(Vocabulary, Shuffles) {
  for (const Device& device : gpu_devices()) {
    DeviceBuffer<int> out(device, std::vector<int>(64 * 8));
    launch_once(device, shuffle_all_ways, 1, 64, 0, out.data());
    const auto host = out.host();
    for (int t = 0; t < 64; ++t) {
      const int lane = t % 32;
      const int* mine = host.data() + t * 8;
      EXPECT_EQ(mine[0], 50);
      EXPECT_EQ(mine[1], (lane / 8 * 8 + (lane + 3) % 8) * 10);
      EXPECT_EQ(mine[2], lane >= 2 ? lane - 2 : lane);
      EXPECT_EQ(mine[3], lane % 16 >= 3 ? lane - 3 : lane);
      EXPECT_EQ(mine[4], lane + 5 < 32 ? lane + 5 : lane);
      EXPECT_EQ(mine[5], lane % 4 < 3 ? lane + 1 : lane);
      EXPECT_EQ(mine[6], lane ^ 12);
      EXPECT_EQ(mine[7], (lane ^ 1) * 2 + 1);
    }
  }
}

__global__ void vote_all_ways(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  int* mine = out + lane * 10;
  mine[0] = __all_sync(all_lanes, lane < 32);
  mine[1] = __all_sync(all_lanes, lane < 31);
  mine[2] = __any_sync(all_lanes, lane == 7);
  mine[3] = static_cast<int>(__ballot_sync(all_lanes, lane % 2));
  mine[4] = static_cast<int>(__reduce_add_sync(all_lanes, static_cast<unsigned>(lane)));
  mine[5] = __reduce_min_sync(all_lanes, lane - 10);
  mine[6] = __reduce_max_sync(all_lanes, 3 - lane);
  mine[7] = static_cast<int>(__reduce_and_sync(all_lanes, 0xff00u | static_cast<unsigned>(lane)));
  mine[8] = static_cast<int>(__reduce_or_sync(all_lanes, 1u << lane % 8));
  mine[9] = static_cast<int>(__reduce_xor_sync(all_lanes, static_cast<unsigned>(lane) + 1));
}

TEST_F(Vocabulary, VotesAndReductions) {
  for (const Device& device : gpu_devices()) {
    DeviceBuffer<int> out(device, std::vector<int>(32 * 10));
    launch_once(device, vote_all_ways, 1, 32, 0, out.data());
    const auto host = out.host();
    const std::vector<int> expected{1, 0, 1, static_cast<int>(0xaaaaaaaau), 496, -10, 3, 0xff00, 0xff, 32};
    for (int lane = 0; lane < 32; ++lane)
      EXPECT_EQ(std::vector<int>(host.begin() + lane * 10, host.begin() + lane * 10 + 10), expected) << lane;
  }
}

// Two halves of a warp work apart, each with its own mask.
__global__ void halves_apart(int* out) {
  const int lane = static_cast<int>(threadIdx.x);
  if (lane < 16) {
    out[lane] = __shfl_xor_sync(0x0000ffffu, lane, 1);
    __syncwarp(0x0000ffffu);
  } else {
    out[lane] = __shfl_xor_sync(0xffff0000u, lane, 2);
  }
  __syncwarp();
}

TEST_F(Vocabulary, HalvesOfAWarpApart) {
  for (const Device& device : gpu_devices()) {
    DeviceBuffer<int> out(device, std::vector<int>(32));
    launch_once(device, halves_apart, 1, 32, 0, out.data());
    const auto host = out.host();
    for (int lane = 0; lane < 32; ++lane)
      EXPECT_EQ(host[static_cast<std::size_t>(lane)], lane < 16 ? lane ^ 1 : lane ^ 2);
  }
}

__global__ void atomics(int* values, unsigned* wrapped) {
  const int t = static_cast<int>(threadIdx.x + blockIdx.x * blockDim.x);
  atomicAdd(&values[0], t);
  atomicSub(&values[1], 1);
  atomicMin(&values[2], 100 - t);
  atomicMax(&values[3], t);
  atomicAnd(&values[4], ~(1 << t % 8));
  atomicOr(&values[5], 1 << t % 8);
  atomicXor(&values[6], t);
  atomicInc(wrapped, 9u);
  int expected = 0;
  for (int old = atomicCAS(&values[7], expected, expected + 2); old != expected;
       old = atomicCAS(&values[7], expected, expected + 2))
    expected = old;
  atomicExch(&values[8], 5);
}

TEST_F(Vocabulary, Atomics) {
  for (const Device& device : gpu_devices()) {
    DeviceBuffer<int> values(device, {0, 0, 1000, -1, 0xffff, 0, 0, 0, 0});
    DeviceBuffer<unsigned> wrapped(device, {0});
    launch_once(device, atomics, 4, 32, 0, values.data(), wrapped.data());
    EXPECT_EQ(values.host(), (std::vector<int>{8128, -128, -27, 127, 0xff00, 0xff, 0, 256, 5}));
    EXPECT_EQ(wrapped.host(), std::vector<unsigned>{8});
  }
}

template <class T>
__global__ void copy_packs(const T* in, T* out, int packs) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i >= packs) return;
  Pack<T> pack = load16(in + i * Pack<T>::count);
  for (T& value : pack.value) value = from_float<T>(2 * to_float(value));
  store16(out + i * Pack<T>::count, pack);
}

TEST_F(Vocabulary, PacksOfSixteenBytes) {
  for (const Device& device : gpu_devices()) {
    std::vector<float> floats(4 * 37);
    std::iota(floats.begin(), floats.end(), 1.0f);
    std::vector<bfloat16> halves;
    for (int i = 0; i < 8 * 37; ++i) halves.push_back(bfloat16(static_cast<float>(i % 100)));
    DeviceBuffer<float> in(device, floats), out(device, std::vector<float>(floats.size()));
    DeviceBuffer<bfloat16> in_halves(device, halves), out_halves(device, std::vector<bfloat16>(halves.size()));
    launch_once(device, copy_packs<float>, 2, 32, 0, in.data(), out.data(), 37);
    launch_once(device, copy_packs<bfloat16>, 2, 32, 0, in_halves.data(), out_halves.data(), 37);
    for (std::size_t i = 0; i < floats.size(); ++i) EXPECT_EQ(out.host()[i], 2 * floats[i]);
    for (std::size_t i = 0; i < halves.size(); ++i)
      EXPECT_EQ(static_cast<float>(out_halves.host()[i]), 2 * static_cast<float>(halves[i]));
  }
}

__global__ void __launch_bounds__(32) scale_float4(const float4* in, float4* out, const float* scale) {
  const float4 value = in[threadIdx.x];
  const float factor = __ldg(scale);
  out[threadIdx.x] = make_float4(value.x * factor, value.y * factor, value.z * factor, value.w * factor);
}

TEST_F(Vocabulary, VectorTypesAndReadOnlyLoads) {
  for (const Device& device : gpu_devices()) {
    std::vector<float> values(128);
    std::iota(values.begin(), values.end(), 1.0f);
    DeviceBuffer<float> in(device, values), out(device, std::vector<float>(128)), scale(device, {3});
    launch_once(device, scale_float4, 1, 32, 0, reinterpret_cast<const float4*>(in.data()),
                reinterpret_cast<float4*>(out.data()), scale.data());
    for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(out.host()[i], 3 * values[i]);
  }
}

// A pipeline of two stages: while one tile is summed, the next is on its way.
__global__ void sum_tiles(const float* in, float* out, int tiles) {
  SHARED(float, stage, [2][128]);
  const int t = static_cast<int>(threadIdx.x);
  copy_async16(&stage[0][t * 4], in + t * 4);
  copy_async_commit();
  float sum = 0;
  for (int tile = 0; tile < tiles; ++tile) {
    if (tile + 1 < tiles) copy_async16(&stage[(tile + 1) % 2][t * 4], in + (tile + 1) * 128 + t * 4);
    copy_async_commit();
    copy_async_wait<1>();
    __syncthreads();
    for (int i = t; i < 128; i += 32) sum += stage[tile % 2][127 - i];
    __syncthreads();
  }
  out[t] = sum;
}

TEST_F(Vocabulary, AsynchronousCopies) {
  for (const Device& device : gpu_devices()) {
    std::vector<float> values(5 * 128);
    std::iota(values.begin(), values.end(), 0.0f);
    DeviceBuffer<float> in(device, values), out(device, std::vector<float>(32));
    launch_once(device, sum_tiles, 1, 32, 0, in.data(), out.data(), 5);
    const auto host = out.host();
    EXPECT_EQ(std::accumulate(host.begin(), host.end(), 0.0f), 640.0f * 639 / 2);
  }
}

__global__ void reduce_everything(const float* in, float* partial, float* out, unsigned* ticket) {
  const float value = in[blockIdx.x * blockDim.x + threadIdx.x];
  const float sum = reduce_block(value, Sum{}, 0.0f), largest = reduce_block(value, Maximum{}, -1e30f);
  if (threadIdx.x == 0) {
    partial[2 * blockIdx.x] = sum;
    partial[2 * blockIdx.x + 1] = largest;
  }
  if (!last_block(ticket, gridDim.x)) return;
  if (threadIdx.x == 0) {
    float total = 0, maximum = -1e30f;
    for (unsigned i = 0; i < gridDim.x; ++i) {
      total += partial[2 * i];
      maximum = maximum > partial[2 * i + 1] ? maximum : partial[2 * i + 1];
    }
    out[0] = total;
    out[1] = maximum;
  }
}

TEST_F(Vocabulary, ReductionsOverLanesBlocksAndGrids) {
  for (const Device& device : gpu_devices()) {
    std::vector<float> values(7 * 96);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i * 7919 % 1009);
    DeviceBuffer<float> in(device, values), partial(device, std::vector<float>(14)), out(device, {0, 0});
    DeviceBuffer<unsigned> ticket(device, {0});
    for (int repeat = 0; repeat < 2; ++repeat) {  // the ticket is back at zero
      launch_once(device, reduce_everything, 7, 96, 0, in.data(), partial.data(), out.data(), ticket.data());
      EXPECT_EQ(out.host(), (std::vector<float>{std::accumulate(values.begin(), values.end(), 0.0f),
                                                *std::max_element(values.begin(), values.end())}));
    }
    EXPECT_EQ(ticket.host(), std::vector<unsigned>{0});
  }
}

}  // namespace
}  // namespace preceptor::test
