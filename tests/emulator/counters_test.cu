// What accesses cost: the counters on kernels whose costs are known, then the kernel families against their cost().
#include "kernels/device/emulator/counters.h"

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/device/load16.cuh"
#include "kernels/optimizer/optimizer.h"
#include "kernels/softened_kl/softened_kl.h"
#include "tests/emulator/launch.h"
#include "tests/support/shapes.h"

namespace preceptor::test {
namespace {

class Counted : public testing::Test {
 protected:
  void SetUp() override {
    if (!emulator::counters_available()) GTEST_SKIP() << "accesses are seen in the build emulated-race only";
  }
};

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

class Kernels : public Counted {
 protected:
  template <class... Parameters, class... Arguments>
  emulator::Counters count(void (*kernel)(Parameters...), const Arguments&... arguments) {
    emulator::start_counting();
    launch_once(device_, kernel, 1, 32, 0, arguments...);
    return emulator::stop_counting();
  }
  Device device_ = emulated_device(1);
  DeviceBuffer<float> in_{device_, std::vector<float>(1024)}, out_{device_, std::vector<float>(1024)};
};

TEST_F(Kernels, SectorsOfAWarp) {
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

TEST_F(Kernels, BankConflictsOfAWarp) {
  const emulator::Counters same_bank = count(read_columns<32>, out_.data());
  EXPECT_EQ(same_bank.bank_conflicts, 32 * 31);
  EXPECT_EQ(same_bank.shared_accesses, 64);
  EXPECT_EQ(same_bank.barriers, 1);
  EXPECT_EQ(count(read_columns<33>, out_.data()).bank_conflicts, 0);
  EXPECT_EQ(count(read_wide, out_.data(), 4).bank_conflicts, 0);
  // Eight lanes go together; 32 words apart they meet in the same four banks.
  EXPECT_EQ(count(read_wide, out_.data(), 32).bank_conflicts, 4 * 7);
}

class Families : public Counted {
 protected:
  // At most 5 % more sectors than the bytes of cost(), and no bank conflict.
  template <class Arguments>
  void expect_efficient(const Arguments& arguments, const std::string& what) {
    Stream stream(device_);
    emulator::start_counting();
    run(arguments, stream);
    const emulator::Counters c = emulator::stop_counting();
    const double least = cost(arguments).bytes / 32;
    std::printf("[ sectors  ] %-22s %-34s %8lld of %8.0f, %.3f\n", Arguments::name, what.c_str(),
                static_cast<long long>(c.sectors()), least, static_cast<double>(c.sectors()) / least);
    EXPECT_LE(static_cast<double>(c.sectors()), 1.05 * least) << Arguments::name << " " << what;
    EXPECT_EQ(c.bank_conflicts, 0) << Arguments::name << " " << what;
  }
  template <class T>
  DeviceBuffer<T> values(std::size_t count) {
    std::vector<T> result;
    for (float value : random_.values(count)) result.push_back(static_cast<T>(value));
    return DeviceBuffer<T>(device_, result);
  }

  template <class T>
  void softened_kl(int rows, int classes);
  template <class T>
  void softened_binary_kl(int rows, int labels);
  template <class T>
  void batch_norm(int images, int channels, int side);

  Device device_ = emulated_device(1);
  Random random_{"counted"};
};

template <class T>
std::string storage() {
  return sizeof(T) == 4 ? " float" : " bfloat16";
}

template <class T>
void Families::softened_kl(int rows, int classes) {
  const std::size_t count = static_cast<std::size_t>(rows) * classes;
  const auto student = values<T>(count), teacher = values<T>(count), gradient = values<T>(count);
  const auto loss = values<float>(rows);
  const DeviceBuffer<float> labels(device_, std::vector<float>(rows, 1.0f));
  SoftenedKl<T> a{student.data(), teacher.data(), loss.data(), gradient.data(), rows, classes, 4, 1};
  const std::string shape = std::to_string(rows) + "x" + std::to_string(classes) + storage<T>();
  expect_efficient(a, shape);
  a.labels = labels.data();
  a.hard_scale = 0.1f;
  expect_efficient(a, shape + ", labels");
}

TEST_F(Families, SoftenedKl) {
  softened_kl<float>(256, 14);
  softened_kl<float>(1024, 2);
  softened_kl<float>(64, 100);
  softened_kl<float>(33, 1000);
  softened_kl<float>(5, 1001);
  softened_kl<float>(2, 8192);
  softened_kl<float>(1, 30011);
  softened_kl<bfloat16>(256, 14);
  softened_kl<bfloat16>(64, 100);
  softened_kl<bfloat16>(33, 1000);
}

template <class T>
void Families::softened_binary_kl(int rows, int labels) {
  const std::size_t count = static_cast<std::size_t>(rows) * labels;
  const auto student = values<T>(count), teacher = values<T>(count), gradient = values<T>(count);
  const auto targets = values<float>(count), loss = values<float>(rows);
  SoftenedBinaryKl<T> a{student.data(), teacher.data(), nullptr, loss.data(), gradient.data(), rows, labels, 4, 1};
  const std::string shape = std::to_string(rows) + "x" + std::to_string(labels) + storage<T>();
  expect_efficient(a, shape);
  a.targets = targets.data();
  expect_efficient(a, shape + ", targets");
}

TEST_F(Families, SoftenedBinaryKl) {
  softened_binary_kl<float>(128, 14);
  softened_binary_kl<bfloat16>(128, 14);
}

template <class T>
void Families::batch_norm(int images, int channels, int side) {
  const std::size_t count = static_cast<std::size_t>(images) * channels * side * side;
  const auto x = values<T>(count), residual = values<T>(count), y = values<T>(count), d_y = values<T>(count);
  const auto d_x = values<T>(count), d_residual = values<T>(count);
  const auto parameters = values<float>(channels * 10);
  const auto at = [&](int i) { return parameters.data() + static_cast<std::size_t>(i) * channels; };
  const auto map = [&](const DeviceBuffer<T>& buffer) {
    return FeatureMap<T>{buffer.data(), images, channels, side, side, channels, channels};
  };
  const std::string shape = std::to_string(images) + "x" + std::to_string(channels) + "x" + std::to_string(side) + "x" +
                            std::to_string(side) + storage<T>();
  for (bool with_residual : {false, true}) {
    const std::string what = shape + (with_residual ? ", residual" : "");
    FeatureMap<T> added = map(residual), d_added = map(d_residual), out = map(y);
    if (!with_residual) added.data = d_added.data = out.data = nullptr;
    BatchNormForward<T> forward{map(x), added, map(y), at(0), at(1), at(2), at(3),
                                at(4),  at(5), at(6),  1e-5f, 0.1f,  true,  nullptr};
    const DeviceBuffer<std::uint8_t> workspace(device_, std::vector<std::uint8_t>(workspace_bytes(forward, device_)));
    forward.workspace = workspace.data();
    expect_efficient(forward, what);
    expect_efficient(BatchNormInference<T>{map(x), added, map(y), at(0), at(1), at(2), at(3), 1e-5f, true}, what);
    BatchNormBackward<T> backward{map(x), out,   map(d_y), map(d_x), d_added, at(0), at(4),
                                  at(5),  at(6), at(7),    at(8),    true,    true,  nullptr};
    const DeviceBuffer<std::uint8_t> more(device_, std::vector<std::uint8_t>(workspace_bytes(backward, device_)));
    backward.workspace = more.data();
    expect_efficient(backward, what);
  }
}

TEST_F(Families, BatchNorm) {
  batch_norm<float>(8, 64, 14);
  batch_norm<float>(16, 32, 8);
  batch_norm<float>(32, 512, 2);
  batch_norm<bfloat16>(8, 64, 14);
  batch_norm<bfloat16>(16, 128, 7);
}

TEST_F(Families, Optimizer) {
  const int count = 50000;
  const auto value = values<float>(count), gradient = values<float>(count), first = values<float>(count);
  const DeviceBuffer<float> second(device_, std::vector<float>(count, 1.0f)), norm(device_, {0, 0});
  const DeviceBuffer<bfloat16> rounded(device_, std::vector<bfloat16>(count));
  const DeviceBuffer<StepState> state(device_, {StepState{0.1f, 3, 0}});
  for (bool adam : {false, true})
    for (bool with_rounded : {false, true}) {
      const UpdateSegment segment{value.data(),
                                  gradient.data(),
                                  first.data(),
                                  adam ? second.data() : nullptr,
                                  with_rounded ? rounded.data() : nullptr,
                                  count,
                                  0,
                                  1.0f,
                                  0.01f};
      const DeviceBuffer<UpdateSegment> segments(device_, {segment});
      Update update{segments.data(),
                    1,
                    update_chunks(count),
                    count,
                    with_rounded ? count : 0,
                    state.data(),
                    nullptr,
                    adam ? UpdateRule::adam : UpdateRule::sgd,
                    0.9f,
                    false,
                    0.9f,
                    0.999f,
                    1e-8f,
                    0.5f};
      expect_efficient(update, std::string(adam ? "adam" : "sgd") + (with_rounded ? ", rounded" : ""));
      GradientNorm gradient_norm{segments.data(), 1,      update_chunks(count), count, 1.0f, norm.data(),
                                 norm.data() + 1, nullptr};
      const DeviceBuffer<std::uint8_t> workspace(device_,
                                                 std::vector<std::uint8_t>(workspace_bytes(gradient_norm, device_)));
      gradient_norm.workspace = workspace.data();
      expect_efficient(gradient_norm, "");
    }
}

}  // namespace
}  // namespace preceptor::test
