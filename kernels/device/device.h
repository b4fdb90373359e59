// Devices, streams and `run`, the one place where a kernel family's arguments meet the device that executes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/device/error.h"

namespace preceptor::kernels {

enum class DeviceKind { cpu, cuda, emulated };

#ifdef PRECEPTOR_CUDA
constexpr bool built_with_cuda = true;
#else
constexpr bool built_with_cuda = false;
#endif

// In which order the emulated device runs the blocks of a grid, the warps of a block and the lanes of a warp.
enum class ThreadOrder { forward, reverse, shuffled };

// Overload tags with what a launch needs to know of its stream. A family implements run_on(Cpu, const Arguments&) and,
// in its .cu file, run_on(Gpu, const Arguments&), which nvcc compiles for Cuda and g++ for Emulated (gpu.h).
struct Cpu {};
struct Cuda {
  void* stream;       // cudaStream_t
  unsigned* tickets;  // see Stream
};
struct Emulated {
  int threads;  // host threads that share the blocks of a grid
  ThreadOrder order;
  std::uint64_t seed;  // of the shuffled order
  unsigned* tickets;   // see Stream
};

// A device and the choices that follow from it. Copyable.
struct Device {
  DeviceKind kind = DeviceKind::cpu;
  int threads = 1;  // cpu: OpenMP threads of every kernel; emulated: host threads that share the blocks of a grid
  ThreadOrder order = ThreadOrder::forward;  // emulated
  std::uint64_t seed = 0;                    // emulated, shuffled order

  // Channels that lie next to each other in a feature map. cpu: 16 with AVX-512, 8 with AVX2; 1 (plain order) where the
  // number of channels is not a multiple: oneDNN's direct convolutions want exactly these blocks. cuda and emulated:
  // all channels, which is channels-last.
  int channel_block(int channels) const;
};

// Opens the cpu with this many OpenMP threads (0: all that the process may use).
Device cpu_device(int threads);
// The host model of CUDA (kernels/device/emulator): for correctness, not for speed.
Device emulated_device(int threads = 0, ThreadOrder order = ThreadOrder::forward, std::uint64_t seed = 0);
// The first CUDA device. Throws with one clear line where this build or this machine has none that can be used.
Device cuda_device();
// The device of a name: cpu, cuda or emulated, with `threads` where it has them.
Device open_device(const std::string& name, int threads);
const char* to_string(DeviceKind kind);

// Lower bounds of a launch's memory traffic and arithmetic; `bench` divides times by them.
struct Cost {
  double bytes = 0;       // that have to cross device memory
  double operations = 0;  // floating-point, a multiply-add counts two
};

// An argument struct says its own.
template <class Arguments>
Cost cost(const Arguments& arguments) {
  return arguments.cost();
}

// The wall time and cost of all launches of one family, filled while a Stream is profiled.
struct ProfileRow {
  const char* family;
  std::int64_t launches = 0;
  double seconds = 0;
  Cost cost;
};

// Counts of a stream's work since it was made; tests hold a training step to them.
struct StreamCounts {
  std::int64_t launches = 0;        // kernels and copies, one by one
  std::int64_t graph_launches = 0;  // whole graphs
  std::int64_t waits = 0;           // of the host for the device
};

class Driver;  // driver.h
class Stream;

// Recorded launches, replayed in order with the arguments they were recorded with: on cuda as one CUDA graph, elsewhere
// one by one. Everything that changes between replays must be read from device memory by the kernels.
class Graph {
 public:
  void replay() const;
  std::size_t launches() const { return nodes_.size(); }

 private:
  friend class Stream;
  Stream* stream_ = nullptr;
  std::vector<std::function<void()>> nodes_;  // cuda: for replays that look at single launches
  std::shared_ptr<void> native_;              // cuda: cudaGraphExec_t
};

// A point in the queue of a stream, reached when all that was launched before it is done. On the cpu and the emulated
// device every point is reached at once.
class Event {
 public:
  explicit Event(const Device& device);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void wait() const;  // the host waits; at once if nothing was marked yet

 private:
  friend class Stream;
  const Driver& driver_;
  void* native_;  // cuda: cudaEvent_t
};

// A named stretch of launches in NVIDIA's profilers (NVTX), as long as it lives; on other devices nothing.
class NamedRange {
 public:
  NamedRange(const Device& device, const char* name);
  ~NamedRange();
  NamedRange(const NamedRange&) = delete;
  NamedRange& operator=(const NamedRange&) = delete;

 private:
  const Driver& driver_;
};

// An ordered queue of launches on one device. On the cpu a launch is executed before run() returns, except while a
// Graph is captured: then it is recorded and not executed, as on cuda. With SYNC_EVERY_LAUNCH=1 in the environment
// every launch is waited for, in replay too, so that an error names the launch that made it.
class Stream {
 public:
  explicit Stream(Device device);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  const Device& device() const { return device_; }
  const StreamCounts& counts() const { return counts_; }

  bool capturing() const { return mode_ != Mode::launching; }
  void begin_capture();
  Graph end_capture();
  // Ends a capture whose recording failed; the stream launches again.
  void abandon_capture() noexcept;
  // Calls `body`, whose launches are neither executed nor recorded: for what it allocates.
  void without_launching(const std::function<void()>& body);

  // Launches between begin_branch() and end_branch() run after all before, and beside those that follow, until
  // join_branch(); with one stream on the host, in the order of the calls. Branches do not nest.
  void begin_branch();
  void end_branch();
  void join_branch();

  // Marks the point after all launches so far; not while capturing.
  void mark(Event& event);
  // Later launches wait for a point of another stream; the host does not.
  void wait_for(const Event& event);

  // Waits for all launches; only on cuda anything is ever pending. While capturing it is an error, because what was
  // recorded has no result yet.
  void synchronize() const;

  // Seconds that `launches` takes on the device. Queued after everything pending, so that on cuda the time to start the
  // first launch does not count.
  double seconds_of(const std::function<void()>& launches) const { return seconds_of(queues_[0], launches); }

  // Starts or stops adding up time and cost per family, in eager execution and in replay.
  void set_profiling(bool on) { profiling_ = on; }
  const std::vector<ProfileRow>& profile() const { return profile_; }
  void clear_profile() { profile_.clear(); }

  Cuda cuda() const { return cuda(queue_); }
  Emulated emulated() const { return emulated(queue_); }

  // Executes or records one launch. Arguments is the argument struct of a kernel family: trivially copyable, with a
  // static `name`, a cost(), and beside the struct a run_on overload for every device that it runs on. Errors: usage,
  // for a family that does not run on this device.
  template <class Arguments>
  void submit(const Arguments& arguments);

 private:
  friend class Graph;
  enum class Mode { launching, recording, dropping };
  // One for the stream, one for its branch.
  struct Queue {
    void* native = nullptr;  // cuda: cudaStream_t
    // cuda, emulated: counters with which the last block of a launch finds out that it is the last (reduce.cuh). Zero
    // between launches; the launches of one queue do not overlap, so they can share them.
    unsigned* tickets = nullptr;
  };

  Cuda cuda(int queue) const { return {queues_[queue].native, queues_[queue].tickets}; }
  Emulated emulated(int queue) const { return {device_.threads, device_.order, device_.seed, queues_[queue].tickets}; }

  // The only switch over devices. bare: without profile and wait.
  template <class Arguments>
  void execute(int queue, const Arguments& arguments, bool bare);
  void open_queue(Queue& queue);
  double seconds_of(const Queue& queue, const std::function<void()>& launches) const;
  void finish(const Queue& queue) const;
  void add_profile(const char* family, const Cost& cost, double seconds);
  // `to` goes on only when `from` has come this far; recorded like a launch.
  void order(int from, int to, const Event& event);

  Device device_;
  const Driver& driver_;
  Queue queues_[2];
  int queue_ = 0;  // that launches go to
  std::unique_ptr<Event> forked_, joined_;
  Mode mode_ = Mode::launching;
  bool profiling_ = false;
  bool sync_every_launch_ = false;
  Graph graph_;
  std::vector<ProfileRow> profile_;
  mutable StreamCounts counts_;
};

// Counters that a launch may use at most: its grid has at most this many blocks that reduce independently.
constexpr int ticket_count = 4096;

// True where a family is there for a device: by the run_on overloads beside its argument struct.
template <class Tag, class Arguments>
concept RunsOn = requires(Tag device, const Arguments& arguments) {
  run_on(device, arguments);
};
template <class Arguments>
constexpr bool runs_on(DeviceKind kind) {
  return kind == DeviceKind::cpu    ? RunsOn<Cpu, Arguments>
         : kind == DeviceKind::cuda ? RunsOn<Cuda, Arguments>
                                    : RunsOn<Emulated, Arguments>;
}

template <class Arguments>
void Stream::submit(const Arguments& arguments) {
  static_assert(std::is_trivially_copyable_v<Arguments>, "arguments are copied into graphs and to the device");
  if (!runs_on<Arguments>(device_.kind))
    throw Error(ErrorKind::usage, std::string(Arguments::name) + ": not on this device in this storage type");
  if (mode_ == Mode::dropping) return;
  if (mode_ == Mode::recording) {
    graph_.nodes_.emplace_back([this, queue = queue_, arguments] { execute(queue, arguments, false); });
    if (queues_[0].native) execute(queue_, arguments, true);  // cuda's own capture listens
    return;
  }
  ++counts_.launches;
  execute(queue_, arguments, false);
}

template <class Arguments>
void Stream::execute(int queue, const Arguments& arguments, bool bare) {
  if (profiling_ && !bare)
    return add_profile(Arguments::name, cost(arguments),
                       seconds_of(queues_[queue], [&] { execute(queue, arguments, true); }));
  const NamedRange range(device_, Arguments::name);
  if constexpr (RunsOn<Cpu, Arguments>)
    if (device_.kind == DeviceKind::cpu) run_on(Cpu{}, arguments);
  if constexpr (RunsOn<Emulated, Arguments>)
    if (device_.kind == DeviceKind::emulated) run_on(emulated(queue), arguments);
  if constexpr (built_with_cuda && RunsOn<Cuda, Arguments>)
    if (device_.kind == DeviceKind::cuda) run_on(cuda(queue), arguments);
  if (sync_every_launch_ && !bare) finish(queues_[queue]);
}

// One launch on a stream.
template <class Arguments>
void run(const Arguments& arguments, Stream& stream) {
  stream.submit(arguments);
}

}  // namespace preceptor::kernels
