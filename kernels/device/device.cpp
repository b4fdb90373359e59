// The cpu device, capture and replay of launches, and the profile of a stream.
#include "kernels/device/device.h"

#include <omp.h>

#include <chrono>
#include <cstring>
#include <utility>

#include "kernels/device/memory.h"
#ifdef PRECEPTOR_CUDA
#include "kernels/device/cuda/cuda_device.h"
#endif

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

#ifndef PRECEPTOR_CUDA
Device cuda_device() { throw Error(ErrorKind::usage, "this build has no cuda device: it was configured without CUDA"); }
#endif

const char* to_string(DeviceKind kind) {
  return kind == DeviceKind::cpu ? "cpu" : kind == DeviceKind::cuda ? "cuda" : "emulated";
}

Device open_device(const std::string& name, int threads) {
  if (name == to_string(DeviceKind::cpu)) return cpu_device(threads);
  if (name == to_string(DeviceKind::emulated)) return emulated_device(threads);
  if (name == to_string(DeviceKind::cuda)) return cuda_device();
  throw Error(ErrorKind::usage, "there is no device " + name + "; the devices are cpu, cuda, emulated");
}

void Graph::replay() const {
  for (const auto& node : nodes_) node();
}

Stream::Stream(Device device) : device_(device) {
  if (device_.kind == DeviceKind::cpu) return;
#ifdef PRECEPTOR_CUDA
  if (device_.kind == DeviceKind::cuda) native_ = cuda::create_stream();
#endif
  tickets_ = static_cast<unsigned*>(allocate(device_, ticket_count * sizeof(unsigned)));
  const std::vector<unsigned> zeros(ticket_count);
  run(Copy{tickets_, zeros.data(), ticket_count * sizeof(unsigned)}, *this);
  synchronize();
}

Stream::~Stream() {
  if (tickets_) release(device_, tickets_);
#ifdef PRECEPTOR_CUDA
  if (native_) cuda::destroy_stream(native_);
#endif
}

void Stream::synchronize() const {
  if (capturing_) throw Error(ErrorKind::internal, "a recorded step may not wait for its own results");
#ifdef PRECEPTOR_CUDA
  if (native_) cuda::synchronize(native_);
#endif
}

void Stream::begin_capture() {
  graph_ = Graph();
  capturing_ = true;
}

Graph Stream::end_capture() {
  capturing_ = false;
  return std::move(graph_);
}

double Stream::seconds_of(const std::function<void()>& launches) const {
#ifdef PRECEPTOR_CUDA
  if (native_) return cuda::seconds_of(native_, launches);
#endif
  const auto begin = std::chrono::steady_clock::now();
  launches();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void Stream::add_profile(const char* family, const Cost& cost, double seconds) {
  for (ProfileRow& row : profile_) {
    if (std::strcmp(row.family, family) != 0) continue;
    row.launches += 1;
    row.seconds += seconds;
    row.cost.bytes += cost.bytes;
    row.cost.operations += cost.operations;
    return;
  }
  profile_.push_back({family, 1, seconds, cost});
}

}  // namespace preceptor::kernels
