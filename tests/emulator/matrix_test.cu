// Tensor core fragments: products of small integers are exact in every order, so a wrong index cannot hide.
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "kernels/device/mma.cuh"
#include "kernels/device/tf32.h"
#include "tests/emulator/launch.h"

namespace preceptor::test {
namespace {

class Matrix : public GpuTest {};

// C [16][8] = A [16][inner] B [inner][8], all row-major floats; every lane packs its own fragments.
__global__ void multiply_bf16(const float* a, const float* b, float* c) {
  const int lane = static_cast<int>(threadIdx.x), g = lane / 4, t = lane % 4;
  const auto pair = [](float low, float high) {
    return static_cast<unsigned>(bfloat16(low).bits) | static_cast<unsigned>(bfloat16(high).bits) << 16;
  };
  unsigned fa[4], fb[2];
  float fc[4] = {};
  for (int i = 0; i < 4; ++i) {
    const float* at = a + (g + i % 2 * 8) * 16 + t * 2 + i / 2 * 8;
    fa[i] = pair(at[0], at[1]);
  }
  for (int i = 0; i < 2; ++i) {
    const float* at = b + (t * 2 + i * 8) * 8 + g;
    fb[i] = pair(at[0], at[8]);
  }
  mma_bf16(fc, fa, fb);
  mma_bf16(fc, fa, fb);  // adds to what is there
  for (int i = 0; i < 4; ++i) c[(g + i / 2 * 8) * 8 + t * 2 + i % 2] = fc[i];
}

__global__ void multiply_tf32(const float* a, const float* b, float* c) {
  const int lane = static_cast<int>(threadIdx.x), g = lane / 4, t = lane % 4;
  unsigned fa[4], fb[2];
  float fc[4] = {};
  for (int i = 0; i < 4; ++i) fa[i] = __float_as_uint(a[(g + i % 2 * 8) * 8 + t + i / 2 * 4]);
  for (int i = 0; i < 2; ++i) fb[i] = __float_as_uint(b[(t + i * 4) * 8 + g]);
  mma_tf32(fc, fa, fb);
  mma_tf32(fc, fa, fb);
  for (int i = 0; i < 4; ++i) c[(g + i / 2 * 8) * 8 + t * 2 + i % 2] = fc[i];
}

// The same product with A and B taken from shared memory by ldmatrix: A as it lies, B [inner][8] transposed on the way.
__global__ void multiply_loaded(const float* a, const float* b, float* c) {
  SHARED(bfloat16, tile_a, [16][24]);
  SHARED(bfloat16, tile_b, [16][24]);
  const int lane = static_cast<int>(threadIdx.x), g = lane / 4, t = lane % 4;
  for (int i = lane; i < 256; i += 32) {
    tile_a[i / 16][i % 16] = bfloat16(a[i]);
    tile_b[i / 16][i % 16] = bfloat16(i % 16 < 8 ? b[i / 16 * 8 + i % 16] : 0.0f);
  }
  __syncwarp();
  unsigned fa[4], fb[4];
  float fc[4] = {};
  // Matrices in the order of the fragment: rows 0-7 and 8-15 of the left columns, then of the right columns.
  load_matrix(fa, &tile_a[lane % 16][lane / 16 * 8]);
  load_matrix_transposed(fb, &tile_b[lane % 16][lane / 16 * 8]);
  const unsigned left[2] = {fb[0], fb[1]};
  mma_bf16(fc, fa, left);
  mma_bf16(fc, fa, left);
  for (int i = 0; i < 4; ++i) c[(g + i / 2 * 8) * 8 + t * 2 + i % 2] = fc[i];
}

void check(void (*kernel)(const float*, const float*, float*), int inner) {
  for (const Device& device : gpu_devices()) {
    std::vector<float> a(16 * static_cast<std::size_t>(inner)), b(static_cast<std::size_t>(inner) * 8),
        expected(16 * 8);
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(static_cast<int>(i * 37 % 101) - 50);
    for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(static_cast<int>(i * 53 % 97) - 48);
    for (int row = 0; row < 16; ++row)
      for (int column = 0; column < 8; ++column)
        for (int k = 0; k < inner; ++k)
          expected[static_cast<std::size_t>(row * 8 + column)] +=
              2 * a[static_cast<std::size_t>(row * inner + k)] * b[static_cast<std::size_t>(k * 8 + column)];
    DeviceBuffer<float> da(device, a), db(device, b), dc(device, std::vector<float>(16 * 8));
    launch_once(device, kernel, 1, 32, 0, da.data(), db.data(), dc.data());
    EXPECT_EQ(dc.host(), expected);
  }
}

TEST_F(Matrix, Bfloat16ProductsOfIntegersAreExact) { check(multiply_bf16, 16); }
TEST_F(Matrix, Tf32ProductsOfIntegersAreExact) { check(multiply_tf32, 8); }
TEST_F(Matrix, LoadedFragmentsAreTheSame) { check(multiply_loaded, 16); }

__global__ void multiply_one_tf32(float* value) {
  unsigned a[4] = {__float_as_uint(value[0]), 0, 0, 0}, b[2] = {__float_as_uint(1.0f), 0};
  float c[4] = {};
  if (threadIdx.x != 0) a[0] = b[0] = 0;
  mma_tf32(c, a, b);
  if (threadIdx.x == 0) value[0] = c[0];
}

__global__ void round_to_tf32(const float* values, unsigned* rounded) {
  rounded[threadIdx.x] = tf32(values[threadIdx.x]).bits;
}

TEST_F(Matrix, Tf32RoundsToNearestAndHalvesAwayFromZero) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> values(32, 0);
  std::vector<unsigned> expected(32, 0);
  const std::pair<unsigned, unsigned> cases[] = {
      {0x3f800fff, 0x3f800000},
      {0x3f801000, 0x3f802000},
      {0xbf801000, 0xbf802000},
      {0xbf800fff, 0xbf800000},
      {0x3fffffff, 0x40000000},
      {0x00001000, 0x00002000},
      {std::bit_cast<unsigned>(infinity), std::bit_cast<unsigned>(infinity)}};
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    values[i] = std::bit_cast<float>(cases[i].first);
    expected[i] = cases[i].second;
  }
  values[31] = std::numeric_limits<float>::quiet_NaN();
  for (const Device& device : gpu_devices()) {
    const DeviceBuffer<float> from(device, values);
    const DeviceBuffer<unsigned> to(device, std::vector<unsigned>(32, 1));
    launch_once(device, round_to_tf32, 1, 32, 0, from.data(), to.data());
    std::vector<unsigned> rounded = to.host();
    EXPECT_TRUE(std::isnan(std::bit_cast<float>(rounded[31])));
    rounded[31] = 0;
    EXPECT_EQ(rounded, expected);
  }
}

TEST_F(Matrix, Tf32IgnoresTheLowestThirteenBits) {
  for (const Device& device : gpu_devices()) {
    DeviceBuffer<float> value(device, {std::bit_cast<float>(0x3f801fffu)});
    launch_once(device, multiply_one_tf32, 1, 32, 0, value.data());
    EXPECT_EQ(value.host(), std::vector<float>{1.0f});
  }
}

}  // namespace
}  // namespace preceptor::test
