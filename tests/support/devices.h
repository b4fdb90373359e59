// The devices that one test body runs on, memory on them, and launches through the same switch that the engine uses.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/device/device.h"
#include "kernels/device/memory.h"
#include "tests/support/digests.h"

namespace preceptor::test {

template <class Arguments>
void execute(const Arguments& arguments, const kernels::Device& device) {
  kernels::Stream stream(device);
  kernels::run(arguments, stream);
  stream.synchronize();
}
template <class Arguments>
void execute(const Arguments& arguments, int threads = 2) {
  execute(arguments, kernels::cpu_device(threads));
}

// Values on a device in a block of memory of exactly their size; copied there and back in whole.
template <class T>
class DeviceBuffer {
 public:
  DeviceBuffer(const kernels::Device& device, const std::vector<T>& values)
      : device_(device), count_(values.size()), data_(static_cast<T*>(kernels::allocate(device, count_ * sizeof(T)))) {
    set(values);
  }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  ~DeviceBuffer() { kernels::release(device_, data_); }

  T* data() const { return data_; }
  std::size_t size() const { return count_; }
  void set(const std::vector<T>& values) const {
    execute(kernels::Copy{data_, values.data(), count_ * sizeof(T)}, device_);
  }
  std::vector<T> host() const {
    std::vector<T> values(count_);
    execute(kernels::Copy{values.data(), data_, count_ * sizeof(T)}, device_);
    Digests::of_this_run().add(values);
    return values;
  }

 private:
  kernels::Device device_;
  std::size_t count_;
  T* data_;
};

// Opens a device; if that fails, the test is skipped, or fails if REQUIRE_DEVICE names the device.
template <class Open>
void skip_unless_present(const Open& open, const std::string& name) {
  try {
    open();
  } catch (const Error& error) {
    const char* required = std::getenv("REQUIRE_DEVICE");
    if (required && name == required) FAIL() << error.what();
    GTEST_SKIP() << error.what();
  }
}

// All devices there are. A test suite that derives from DeviceTest runs once on each.
inline constexpr kernels::DeviceKind all_devices[] = {kernels::DeviceKind::cpu, kernels::DeviceKind::emulated,
                                                      kernels::DeviceKind::cuda};
inline std::string name_of(kernels::DeviceKind kind) {
  return kind == kernels::DeviceKind::cpu ? "cpu" : kind == kernels::DeviceKind::emulated ? "emulated" : "cuda";
}

}  // namespace preceptor::test
namespace preceptor::kernels {
inline void PrintTo(DeviceKind kind, std::ostream* out) { *out << test::name_of(kind); }
}  // namespace preceptor::kernels
namespace preceptor::test {

// The order in which the emulated device runs threads unless a test asks for another: PRECEPTOR_ORDER is reverse or
// shuffled, or not set.
inline kernels::ThreadOrder order_of_threads() {
  const char* text = std::getenv("PRECEPTOR_ORDER");
  const std::string order = text ? text : "forward";
  return order == "reverse"    ? kernels::ThreadOrder::reverse
         : order == "shuffled" ? kernels::ThreadOrder::shuffled
                               : kernels::ThreadOrder::forward;
}

class DeviceTest : public testing::TestWithParam<kernels::DeviceKind> {
 protected:
  void SetUp() override {
    skip_unless_present(
        [this] {
          device_ = GetParam() == kernels::DeviceKind::cpu        ? kernels::cpu_device(2)
                    : GetParam() == kernels::DeviceKind::emulated ? kernels::emulated_device(2, order_of_threads())
                                                                  : kernels::cuda_device();
        },
        name_of(GetParam()));
  }
  const kernels::Device& device() const { return device_; }
  bool on_cpu() const { return device_.kind == kernels::DeviceKind::cpu; }

 private:
  kernels::Device device_;
};
// After the tests of a suite X that derives from DeviceTest: INSTANTIATE_ON_ALL_DEVICES(X);
#define INSTANTIATE_ON_ALL_DEVICES(suite)                             \
  INSTANTIATE_TEST_SUITE_P(On, suite, testing::ValuesIn(all_devices), \
                           [](const auto& kind) { return name_of(kind.param); })

}  // namespace preceptor::test
