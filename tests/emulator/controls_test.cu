// Kernels that are wrong on purpose. Each must be reported, in the right line, by the lane that is there to find it:
//   plain   what every build of the emulated device says by itself
//   memory  AddressSanitizer and UBSan (preset asan)
//   race    the watcher (preset emulated-race)
// The line with the mistake ends in "// bug: NAME".
#include <cmath>
#include <cstdio>
#include <fstream>
#include <functional>

#include "kernels/device/copy_async.cuh"
#include "kernels/device/load16.cuh"
#include "kernels/device/mma.cuh"
#include "kernels/device/reduce.cuh"
#include "tests/emulator/launch.h"

namespace preceptor::test {
namespace {

enum Lanes : unsigned { plain = 1, memory = 2, race = 4 };
#if defined(PRECEPTOR_EMULATOR_WATCH)
constexpr Lanes this_lane = race;
#elif defined(__SANITIZE_ADDRESS__)
constexpr Lanes this_lane = memory;
#else
constexpr Lanes this_lane = plain;
#endif
const char* name_of_lane(unsigned lane) { return lane == plain ? "plain" : lane == memory ? "memory" : "race"; }

// Arguments shared by all wrong kernels: 64 floats to read and to write, and a counter.
struct Data {
  const float* in;
  float* out;
  unsigned* ticket;
  const float* host;  // memory that is not on the device
};

__global__ void global_out_of_bounds(Data d) {
  const unsigned i = threadIdx.x + 1;
  d.out[i] = d.in[threadIdx.x];  // bug: global memory out of bounds
}

__global__ void shared_out_of_bounds(Data d) {
  SHARED(float, tile, [64]);
  float* flat = tile;
  flat[threadIdx.x + 1] = d.in[threadIdx.x];  // bug: shared memory out of bounds
  __syncthreads();
  d.out[threadIdx.x] = flat[threadIdx.x];
}

__global__ void dynamic_shared_out_of_bounds(Data d) {
  float* tile = dynamic_shared<float>();
  for (unsigned i = threadIdx.x; i <= 64; i += 64)
    tile[i] = d.in[threadIdx.x];  // bug: dynamic shared memory out of bounds
  __syncthreads();
  d.out[threadIdx.x] = tile[threadIdx.x];
}

__global__ void missing_barrier_read_after_write(Data d) {
  SHARED(float, tile, [64]);
  tile[threadIdx.x] = 0;
  __syncthreads();
  tile[threadIdx.x] = d.in[threadIdx.x];
  d.out[threadIdx.x] = tile[63 - threadIdx.x];  // bug: missing barrier, read after write
}

__global__ void missing_barrier_write_after_read(Data d) {
  SHARED(float, tile, [64]);
  tile[threadIdx.x] = d.in[threadIdx.x];
  __syncthreads();
  const float other = tile[63 - threadIdx.x];
  tile[threadIdx.x] = 2 * other;  // bug: missing barrier, write after read
  __syncthreads();
  d.out[threadIdx.x] = tile[threadIdx.x];
}

__global__ void missing_warp_barrier(Data d) {
  SHARED(float, tile, [64]);
  tile[threadIdx.x] = d.in[threadIdx.x];
  __syncthreads();
  float value = tile[threadIdx.x ^ 1u];
  __syncwarp();
  tile[threadIdx.x] = value;
  value = tile[threadIdx.x ^ 1u];  // bug: missing warp barrier
  d.out[threadIdx.x] = value;
}

__global__ void race_between_blocks(Data d) {
  d.out[threadIdx.x] = static_cast<float>(blockIdx.x);  // bug: race between blocks
}

__global__ void missing_fence(Data d) {
  d.out[blockIdx.x * 32 + threadIdx.x] = 1;
  SHARED(bool, last, );
  __syncthreads();
  if (threadIdx.x == 0) last = atomicAdd(d.ticket, 1u) == 1;
  __syncthreads();
  if (last) d.out[(1 - blockIdx.x) * 32 + threadIdx.x] += 1;  // bug: missing fence before the last block
}

__global__ void same_value_written_twice(Data d) {
  SHARED(int, flag, );
  flag = 1;  // bug: same value written twice
  __syncthreads();
  d.out[threadIdx.x] = static_cast<float>(flag);
}

__global__ void uninitialized_shared(Data d) {
  SHARED(float, tile, [64]);
  if (threadIdx.x < 63) tile[threadIdx.x] = d.in[threadIdx.x];
  __syncthreads();
  d.out[threadIdx.x] = tile[threadIdx.x];  // bug: shared memory that was never written
}

__global__ void divergent_barrier(Data d) {
  if (threadIdx.x < 32) {
    __syncthreads();
  } else {
    __syncthreads();  // bug: divergent barrier
  }
  d.out[threadIdx.x] = 1;
}

__global__ void early_exit_before_barrier(Data d) {
  if (threadIdx.x == 40) return;
  __syncthreads();  // bug: early exit before a barrier
  d.out[threadIdx.x] = 1;
}

__global__ void early_exit_before_shuffle(Data d) {
  if (threadIdx.x == 40) return;
  d.out[threadIdx.x] = __shfl_xor_sync(all_lanes, d.in[threadIdx.x], 1);  // bug: early exit before a collective
}

__global__ void shuffle_with_missing_lanes(Data d) {
  float value = d.in[threadIdx.x];
  if (threadIdx.x % 32 < 20) value += __shfl_xor_sync(all_lanes, value, 1);  // bug: shuffle with missing lanes
  __syncthreads();
  d.out[threadIdx.x] = value;
}

__global__ void shuffle_from_outside(Data d) {
  float value = d.in[threadIdx.x];
  if (threadIdx.x % 32 < 16) value = __shfl_sync(0xffffu, value, 20);  // bug: shuffle from a lane outside the mask
  d.out[threadIdx.x] = value;
}

__global__ void missing_copy_wait(Data d) {
  SHARED(float, tile, [64]);
  if (threadIdx.x < 16) copy_async16(tile + threadIdx.x * 4, d.in + threadIdx.x * 4);
  copy_async_commit();
  __syncthreads();
  d.out[threadIdx.x] = tile[threadIdx.x];  // bug: missing cp.async wait
}

__global__ void misaligned_vector(Data d) {
  const Pack<float> pack = load16(d.in + threadIdx.x % 8 * 4 + 1);  // bug: misaligned vector load
  d.out[threadIdx.x] = pack.value[0];
}

__global__ void wrong_fragment_index(Data d) {
  const int lane = static_cast<int>(threadIdx.x), g = lane / 4, t = lane % 4;
  const unsigned a[4] = {}, b[2] = {};
  float c[4] = {};
  mma_tf32(c, a, b);
  // t * 2 would be right: the lanes of a group write each other's column.
  for (int i = 0; i < 2; ++i) d.out[g * 8 + t + i] = c[i] + 1;  // bug: wrong mma fragment index
}

__global__ void host_pointer(Data d) {
  d.out[threadIdx.x] = d.host[threadIdx.x];  // bug: host memory
}

struct Control {
  const char* name;
  void (*kernel)(Data);
  int blocks, threads;
  std::size_t shared_bytes;
  unsigned lanes;        // that must report it
  const char* expected;  // part of the report of the plain and race builds
  const char* in_memory_lane = "";
  bool shows_nan = false;  // in the plain build the results are not numbers
};

void PrintTo(const Control& control, std::ostream* out) { *out << control.name; }

const Control controls[] = {
    {"global memory out of bounds", global_out_of_bounds, 1, 64, 0, memory | race, "not on the device",
     "heap-buffer-overflow"},
    {"shared memory out of bounds", shared_out_of_bounds, 1, 64, 0, memory | race, "out of bounds",
     "heap-buffer-overflow"},
    {"dynamic shared memory out of bounds", dynamic_shared_out_of_bounds, 1, 64, 256, memory | race, "out of bounds",
     "heap-buffer-overflow"},
    {"missing barrier, read after write", missing_barrier_read_after_write, 1, 64, 0, race, "race"},
    {"missing barrier, write after read", missing_barrier_write_after_read, 1, 64, 0, race, "race"},
    {"missing warp barrier", missing_warp_barrier, 1, 64, 0, race, "race"},
    {"race between blocks", race_between_blocks, 2, 64, 0, race, "race"},
    {"missing fence before the last block", missing_fence, 2, 32, 0, race, "race"},
    {"same value written twice", same_value_written_twice, 1, 64, 0, race, "race"},
    {"shared memory that was never written", uninitialized_shared, 1, 64, 0, race, "no thread has written", "", true},
    {"divergent barrier", divergent_barrier, 1, 64, 0, plain | memory | race, "divergent barriers"},
    {"early exit before a barrier", early_exit_before_barrier, 1, 64, 0, plain | memory | race,
     "returned from the kernel"},
    {"early exit before a collective", early_exit_before_shuffle, 1, 64, 0, plain | memory | race,
     "returned from the kernel"},
    {"shuffle with missing lanes", shuffle_with_missing_lanes, 1, 64, 0, plain | memory | race, "no thread can go on"},
    {"shuffle from a lane outside the mask", shuffle_from_outside, 1, 64, 0, plain | memory | race,
     "does not take part"},
    {"missing cp.async wait", missing_copy_wait, 1, 64, 0, race, "nobody has waited for", "", true},
    {"misaligned vector load", misaligned_vector, 1, 64, 0, plain | memory | race, "misaligned"},
    {"wrong mma fragment index", wrong_fragment_index, 1, 32, 0, race, "race"},
    {"host memory", host_pointer, 1, 64, 0, race, "not on the device"},
};

std::string place_of_bug(const std::string& name) {
  std::ifstream source(PRECEPTOR_SOURCE_DIR "/tests/emulator/controls_test.cu");
  std::string line;
  for (int number = 1; std::getline(source, line); ++number)
    if (line.ends_with("// bug: " + name)) return "controls_test.cu:" + std::to_string(number);
  return "nowhere";
}

class Controls : public testing::TestWithParam<Control> {};

// Runs the kernel on fresh data and gives its results.
std::vector<float> run(const Control& control, const Device& device) {
  std::vector<float> values(64, 1.0f);
  DeviceBuffer<float> in(device, values), out(device, std::vector<float>(64));
  DeviceBuffer<unsigned> ticket(device, {0});
  launch_once(device, control.kernel, control.blocks, control.threads, control.shared_bytes,
              Data{in.data(), out.data(), ticket.data(), values.data()});
  return out.host();
}

TEST_P(Controls, AreReportedInTheRightLine) {
  const Control& control = GetParam();
  const std::string place = place_of_bug(control.name);
  if (!(control.lanes & this_lane)) {
    if (this_lane == plain && control.shows_nan) {
      // Shared memory starts as NaN, so the mistake shows in the results of at least one order.
      bool found = false;
      for (const Device& device : gpu_devices())
        for (float value : run(control, device)) found = found || std::isnan(value);
      EXPECT_TRUE(found);
      return;
    }
    GTEST_SKIP() << "found by the lanes:" << (control.lanes & plain ? " plain" : "")
                 << (control.lanes & memory ? " memory" : "") << (control.lanes & race ? " race" : "");
  }
  if (this_lane == memory && *control.in_memory_lane) {
    testing::GTEST_FLAG(death_test_style) = "threadsafe";
    EXPECT_DEATH(run(control, emulated_device(1)), std::string(control.in_memory_lane) + "[^#]*#[01] [^#]*" + place);
    std::printf("[  control ] %-40s %-7s %s\n", control.name, name_of_lane(this_lane), place.c_str());
    return;
  }
  std::string first_report;
  for (const Device& device : gpu_devices()) {
    try {
      run(control, device);
      ADD_FAILURE() << "not reported";
    } catch (const Error& error) {
      const std::string text = error.what();
      EXPECT_NE(text.find(control.expected), std::string::npos) << text;
      EXPECT_NE(text.find(place), std::string::npos) << text << "\n  expected " << place;
      EXPECT_NE(text.find("thread ("), std::string::npos) << text;
      if (first_report.empty()) first_report = text;
    }
  }
  std::printf("[  control ] %-40s %-7s %s\n[  report  ] %s\n", control.name, name_of_lane(this_lane), place.c_str(),
              first_report.c_str());
}

INSTANTIATE_TEST_SUITE_P(Wrong, Controls, testing::ValuesIn(controls), [](const auto& control) {
  std::string name = control.param.name;
  for (char& letter : name)
    if (!std::isalnum(static_cast<unsigned char>(letter))) letter = '_';
  return name;
});

__global__ void fill(float* out) { out[threadIdx.x] = 1; }
__global__ void too_much_shared(float* out) {
  SHARED(float, big, [12289]);
  big[threadIdx.x] = 1;
  out[threadIdx.x] = big[threadIdx.x];
}

std::string refusal(void (*kernel)(float*), dim3 grid, dim3 block, std::size_t shared_bytes) {
  const Device device = gpu_device();
  DeviceBuffer<float> out(device, std::vector<float>(64));
  try {
    launch_once(device, kernel, grid, block, shared_bytes, out.data());
  } catch (const Error& error) {
    return error.what();
  }
  return "not refused";
}

TEST(Launch, WhatNoCardTakesIsRefused) {
  EXPECT_NE(refusal(fill, 1, 1025, 0).find("fill: launch refused: a block of 1025x1x1 threads"), std::string::npos);
  EXPECT_NE(refusal(fill, dim3(1, 70000), 32, 0).find("65535"), std::string::npos);
  EXPECT_NE(refusal(fill, 1, 32, 300000).find("300000 bytes of shared memory"), std::string::npos);
  EXPECT_NE(refusal(too_much_shared, 1, 32, 0).find("shared memory is used up: 49156 static"), std::string::npos);
}

TEST(Launch, AnErrorLeavesTheDeviceUsable) {
  for (const Device& device : gpu_devices()) {
    for (int repeat = 0; repeat < 3; ++repeat) {
      EXPECT_THROW(run(controls[10], device), Error);
      DeviceBuffer<float> out(device, std::vector<float>(64));
      launch_once(device, fill, 1, 64, 0, out.data());
      EXPECT_EQ(out.host(), std::vector<float>(64, 1.0f));
    }
  }
}

}  // namespace
}  // namespace preceptor::test
