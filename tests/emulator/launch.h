// Streams, launches and memory for tests that call kernels directly, on the device that their file is compiled for.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "kernels/device/gpu.h"
#include "tests/support/devices.h"

namespace preceptor::test {

using namespace kernels;

#ifdef __CUDACC__
constexpr DeviceKind gpu_kind = DeviceKind::cuda;
inline Device gpu_device() { return cuda_device(); }
inline Gpu gpu_of(const Stream& stream) { return stream.cuda(); }
#else
constexpr DeviceKind gpu_kind = DeviceKind::emulated;
inline Device gpu_device() { return emulated_device(2); }
inline Gpu gpu_of(const Stream& stream) { return stream.emulated(); }
#endif

// Thread orders under which results must be the same; a card offers no choice.
inline std::vector<Device> gpu_devices() {
#ifdef __CUDACC__
  return {cuda_device()};
#else
  return {emulated_device(1, ThreadOrder::forward), emulated_device(2, ThreadOrder::reverse),
          emulated_device(1, ThreadOrder::shuffled, 1), emulated_device(2, ThreadOrder::shuffled, 2),
          emulated_device(2, ThreadOrder::shuffled, 3)};
#endif
}

// Skipped if there is no such device, or failed if REQUIRE_DEVICE names it.
class GpuTest : public testing::Test {
 protected:
  void SetUp() override {
    skip_unless_present([] { gpu_device(); }, name_of(gpu_kind));
  }
};

// Launches kernel(data..., arguments...) once and waits.
template <class... Parameters, class... Arguments>
void launch_once(const Device& device, void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
                 const Arguments&... arguments) {
  Stream stream(device);
  launch(gpu_of(stream), kernel, grid, block, shared_bytes, arguments...);
  stream.synchronize();
}

}  // namespace preceptor::test
