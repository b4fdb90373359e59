// The cpu device, capture and replay of launches, and the profile of a stream.
#include "kernels/device/device.h"

#include <omp.h>

#include <chrono>
#include <cstring>

namespace preceptor::kernels {

int Device::channel_block(int channels) const {
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

void Graph::replay() const {
  for (const auto& node : nodes_) node();
}

void Stream::begin_capture() {
  graph_ = Graph();
  capturing_ = true;
}

Graph Stream::end_capture() {
  capturing_ = false;
  return std::move(graph_);
}

double Stream::now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
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
