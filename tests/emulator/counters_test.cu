// The cost of accesses: the counters on kernels whose costs are known.
#include "kernels/device/emulator/counters.h"

#include "kernels/device/load16.cuh"
#include "tests/emulator/launch.h"

namespace preceptor::test {
namespace {

__global__ void copy_with_stride(const float* in, float* out, int stride) {
  out[threadIdx.x] = in[static_cast<int>(threadIdx.x) * stride];
}
__global__ void copy_packed(const float* in, float* out) {
  store16(out + threadIdx.x * 4, load16(in + threadIdx.x * 4));
}
template <int pitch>
__global__ void read_columns(float* out) {
  SHARED(float, tile, [32 * pitch]);
  for (int row = 0; row < 32; ++row) tile[row * pitch + static_cast<int>(threadIdx.x)] = 1;
  __syncthreads();
  float sum = 0;
  for (int column = 0; column < 32; ++column) sum += tile[static_cast<int>(threadIdx.x) * pitch + column];
  out[threadIdx.x] = sum;
}
__global__ void read_wide(float* out, int stride) {
  SHARED(float, tile, [32 * 32]);
  for (int i = static_cast<int>(threadIdx.x); i < 1024; i += 32) tile[i] = 1;
  __syncthreads();
  out[threadIdx.x] = load16(&tile[static_cast<int>(threadIdx.x) * stride]).value[0];
}

class Counters : public testing::Test {
 protected:
  void SetUp() override {
    if (!emulator::counters_available()) GTEST_SKIP() << "accesses are seen in the build emulated-race only";
  }
  template <class... Parameters, class... Arguments>
  emulator::Counters count(void (*kernel)(Parameters...), const Arguments&... arguments) {
    emulator::start_counting();
    launch_once(device_, kernel, 1, 32, 0, arguments...);
    return emulator::stop_counting();
  }
  Device device_ = emulated_device(1);
  DeviceBuffer<float> in_{device_, std::vector<float>(1024)}, out_{device_, std::vector<float>(1024)};
};

TEST_F(Counters, SectorsOfAWarp) {
  emulator::Counters c = count(copy_with_stride, in_.data(), out_.data(), 1);
  EXPECT_EQ(c.read_sectors, 4);
  EXPECT_EQ(c.written_sectors, 4);
  c = count(copy_with_stride, in_.data() + 1, out_.data(), 1);  // not aligned: one more
  EXPECT_EQ(c.read_sectors, 5);
  c = count(copy_with_stride, in_.data(), out_.data(), 8);
  EXPECT_EQ(c.read_sectors, 32);
  c = count(copy_packed, in_.data(), out_.data());
  EXPECT_EQ(c.read_sectors, 16);
  EXPECT_EQ(c.written_sectors, 16);
  EXPECT_EQ(c.shared_accesses, 0);
}

TEST_F(Counters, BankConflictsOfAWarp) {
  const emulator::Counters same_bank = count(read_columns<32>, out_.data());
  EXPECT_EQ(same_bank.bank_conflicts, 32 * 31);
  EXPECT_EQ(same_bank.shared_accesses, 64);
  EXPECT_EQ(same_bank.barriers, 1);
  EXPECT_EQ(count(read_columns<33>, out_.data()).bank_conflicts, 0);
  EXPECT_EQ(count(read_wide, out_.data(), 4).bank_conflicts, 0);
  // Eight lanes go together; 32 words apart they meet in the same four banks.
  EXPECT_EQ(count(read_wide, out_.data(), 32).bank_conflicts, 4 * 7);
}

}  // namespace
}  // namespace preceptor::test
