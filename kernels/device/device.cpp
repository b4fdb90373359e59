// Opening devices by kind and by name.
#include "kernels/device/device.h"

#include <omp.h>

#include "kernels/device/driver.h"

namespace preceptor::kernels {

int Device::channel_block(int channels) const {
  if (kind != DeviceKind::cpu) return channels;
#ifdef __AVX512F__
  constexpr int blocks[] = {16, 8};
#else
  constexpr int blocks[] = {8};
#endif
  for (int block : blocks)
    if (channels % block == 0) return block;
  return 1;
}

Device cpu_device(int threads) {
  if (threads > 0) omp_set_num_threads(threads);
  omp_set_dynamic(0);
  return Device{DeviceKind::cpu, omp_get_max_threads()};
}

Device emulated_device(int threads, ThreadOrder order, std::uint64_t seed) {
  return Device{DeviceKind::emulated, threads > 0 ? threads : omp_get_max_threads(), order, seed};
}

Device cuda_device() {
  if constexpr (built_with_cuda) return cuda::open_first_card();
  throw Error(ErrorKind::usage, "this build has no cuda device: it was configured without CUDA");
}

const char* to_string(DeviceKind kind) {
  return kind == DeviceKind::cpu ? "cpu" : kind == DeviceKind::cuda ? "cuda" : "emulated";
}

Device open_device(const std::string& name, int threads) {
  if (name == to_string(DeviceKind::cpu)) return cpu_device(threads);
  if (name == to_string(DeviceKind::emulated)) return emulated_device(threads);
  if (name == to_string(DeviceKind::cuda)) return cuda_device();
  throw Error(ErrorKind::usage, "there is no device " + name + "; the devices are cpu, cuda, emulated");
}

}  // namespace preceptor::kernels
