// Devices, streams and `run`, the one place where a kernel family's arguments meet the device that executes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#include <vector>

#include "kernels/device/error.h"

namespace preceptor::kernels {

enum class DeviceKind { cpu, cuda, emulated };

// Overload tags: a family implements run_on(Cpu, const Arguments&) and, in its .cu file, run_on(Cuda, ...).
struct Cpu {};

// A device and the choices that follow from it. Copyable.
struct Device {
  DeviceKind kind = DeviceKind::cpu;
  int threads = 1;  // cpu: OpenMP threads of every kernel

  // Channels that lie next to each other in a feature map: 16 with AVX-512, 8 with AVX2; 1 (plain order) where the
  // number of channels is not a multiple. oneDNN's direct convolutions want exactly these blocks.
  int channel_block(int channels) const;
};

// Opens the cpu with this many OpenMP threads (0: all that the process may use).
Device cpu_device(int threads);

// What a launch must move and compute at least; `bench` divides times by it.
struct Cost {
  double bytes = 0;       // that have to cross device memory
  double operations = 0;  // floating-point, a multiply-add counts two
};

// The wall time and cost of all launches of one family, filled while a Stream is profiled.
struct ProfileRow {
  const char* family;
  std::int64_t launches = 0;
  double seconds = 0;
  Cost cost;
};

class Stream;

// Recorded launches, replayed in order with the arguments they were recorded with. Everything that changes between
// replays must be read from device memory by the kernels.
class Graph {
 public:
  void replay() const;
  std::size_t launches() const { return nodes_.size(); }

 private:
  friend class Stream;
  std::vector<std::function<void()>> nodes_;
};

// An ordered queue of launches on one device. On the cpu a launch is executed before run() returns, except while a
// Graph is captured: then it is recorded and not executed, as on cuda.
class Stream {
 public:
  explicit Stream(Device device) : device_(device) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  const Device& device() const { return device_; }
  bool capturing() const { return capturing_; }
  void begin_capture();
  Graph end_capture();
  // Waits for all launches. On the cpu nothing is ever pending; while capturing it is an error, because what was
  // recorded has no result yet.
  void synchronize() const {
    if (capturing_) throw Error(ErrorKind::internal, "a recorded step may not wait for its own results");
  }

  // Starts or stops adding up time and cost per family, in eager execution and in replay.
  void set_profiling(bool on) { profiling_ = on; }
  const std::vector<ProfileRow>& profile() const { return profile_; }
  void clear_profile() { profile_.clear(); }

  // Executes or records one launch; called by run().
  template <class Launch>
  void submit(const char* family, const Cost& cost, Launch launch) {
    if (capturing_) {
      graph_.nodes_.emplace_back([this, family, cost, launch] { execute(family, cost, launch); });
    } else {
      execute(family, cost, launch);
    }
  }

 private:
  template <class Launch>
  void execute(const char* family, const Cost& cost, const Launch& launch) {
    if (!profiling_) return launch();
    const double begin = now();
    launch();
    add_profile(family, cost, now() - begin);
  }
  static double now();
  void add_profile(const char* family, const Cost& cost, double seconds);

  Device device_;
  bool capturing_ = false;
  bool profiling_ = false;
  Graph graph_;
  std::vector<ProfileRow> profile_;
};

// The only switch over devices. Arguments is the argument struct of a kernel family: trivially copyable, with a
// static `name`, a cost(arguments) and a run_on overload for every device, all found beside the struct.
template <class Arguments>
void run(const Arguments& arguments, Stream& stream) {
  static_assert(std::is_trivially_copyable_v<Arguments>, "arguments are copied into graphs and to the device");
  switch (stream.device().kind) {
    case DeviceKind::cpu:
      return stream.submit(Arguments::name, cost(arguments), [arguments] { run_on(Cpu{}, arguments); });
    case DeviceKind::cuda:
    case DeviceKind::emulated:
      break;
  }
  throw Error(ErrorKind::usage, "this build has no such device");
}

}  // namespace preceptor::kernels
