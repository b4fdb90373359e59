// Streams: launching, capture and replay, branches, events, and the profile of launches.
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "kernels/device/device.h"
#include "kernels/device/memory.h"
#ifdef PRECEPTOR_CUDA
#include "kernels/device/cuda/cuda_device.h"
#endif

namespace preceptor::kernels {
namespace {

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && std::strcmp(value, "1") == 0;
}

}  // namespace

NamedRange::NamedRange([[maybe_unused]] const Device& device, [[maybe_unused]] const char* name)
    : open_(device.kind == DeviceKind::cuda) {
#ifdef PRECEPTOR_CUDA
  if (open_) cuda::begin_range(name);
#endif
}
NamedRange::~NamedRange() {
#ifdef PRECEPTOR_CUDA
  if (open_) cuda::end_range();
#endif
}

Event::Event([[maybe_unused]] const Device& device) {
#ifdef PRECEPTOR_CUDA
  if (device.kind == DeviceKind::cuda) native_ = cuda::create_event();
#endif
}
Event::~Event() {
#ifdef PRECEPTOR_CUDA
  if (native_) cuda::destroy_event(native_);
#endif
}
void Event::wait() const {
#ifdef PRECEPTOR_CUDA
  if (native_) cuda::wait(native_);
#endif
}

void Graph::replay() const {
  ++stream_->counts_.graph_launches;
#ifdef PRECEPTOR_CUDA
  if (native_ && !stream_->profiling_ && !stream_->sync_every_launch_)
    return cuda::launch_graph(native_.get(), stream_->queues_[0].native);
#endif
  for (const auto& node : nodes_) node();
}

Stream::Stream(Device device) : device_(device), sync_every_launch_(is_set("SYNC_EVERY_LAUNCH")) {
  open_queue(queues_[0]);
}

Stream::~Stream() {
  for (Queue& queue : queues_) close_queue(queue);
}

void Stream::open_queue(Queue& queue) {
  if (device_.kind == DeviceKind::cpu) return;
#ifdef PRECEPTOR_CUDA
  if (device_.kind == DeviceKind::cuda) queue.native = cuda::create_stream();
#endif
  queue.tickets = static_cast<unsigned*>(allocate(device_, ticket_count * sizeof(unsigned)));
  const std::size_t bytes = ticket_count * sizeof(unsigned);
#ifdef PRECEPTOR_CUDA
  if (queue.native) return cuda::fill_with_zeros(queue.tickets, bytes, queue.native);
#endif
  std::memset(queue.tickets, 0, bytes);
}

void Stream::close_queue(Queue& queue) {
  if (queue.tickets) release(device_, queue.tickets);
#ifdef PRECEPTOR_CUDA
  if (queue.native) cuda::destroy_stream(queue.native);
#endif
}

void Stream::synchronize() const {
  if (mode_ != Mode::launching) throw Error(ErrorKind::internal, "a recorded step may not wait for its own results");
  ++counts_.waits;
#ifdef PRECEPTOR_CUDA
  if (queues_[0].native) cuda::synchronize(queues_[0].native);
#endif
}

void Stream::begin_capture() {
  graph_ = Graph();
  graph_.stream_ = this;
#ifdef PRECEPTOR_CUDA
  if (queues_[0].native) cuda::begin_capture(queues_[0].native);
#endif
  mode_ = Mode::recording;
}

Graph Stream::end_capture() {
  mode_ = Mode::launching;
#ifdef PRECEPTOR_CUDA
  if (queues_[0].native) graph_.native_ = {cuda::end_capture(queues_[0].native), cuda::destroy_graph};
#endif
  return std::move(graph_);
}

void Stream::abandon_capture() noexcept {
  mode_ = Mode::launching;
  queue_ = 0;
  graph_ = Graph();
#ifdef PRECEPTOR_CUDA
  if (queues_[0].native) cuda::abandon_capture(queues_[0].native);
#endif
}

void Stream::without_launching(const std::function<void()>& body) {
  struct Restored {
    Mode& mode;
    Mode before;
    ~Restored() { mode = before; }
  };
  const Restored restored{mode_, std::exchange(mode_, Mode::dropping)};
  body();
}

void Stream::begin_branch() {
  if (queue_ != 0) throw Error(ErrorKind::internal, "branches of a stream do not nest");
  if (!forked_) {
    open_queue(queues_[1]);
    forked_ = std::make_unique<Event>(device_);
    joined_ = std::make_unique<Event>(device_);
  }
  order(0, 1, *forked_);
  queue_ = 1;
}

void Stream::end_branch() { queue_ = 0; }

void Stream::join_branch() { order(1, 0, *joined_); }

void Stream::order([[maybe_unused]] int from, [[maybe_unused]] int to, [[maybe_unused]] const Event& event) {
#ifdef PRECEPTOR_CUDA
  if (!event.native_ || mode_ == Mode::dropping) return;
  const auto wait = [first = queues_[from].native, then = queues_[to].native, native = event.native_] {
    cuda::record(native, first);
    cuda::wait_for(then, native);
  };
  if (mode_ == Mode::recording) graph_.nodes_.emplace_back(wait);
  wait();
#endif
}

void Stream::mark([[maybe_unused]] Event& event) {
#ifdef PRECEPTOR_CUDA
  if (event.native_) cuda::record(event.native_, queues_[0].native);
#endif
}

void Stream::wait_for([[maybe_unused]] const Event& event) {
#ifdef PRECEPTOR_CUDA
  if (event.native_) cuda::wait_for(queues_[0].native, event.native_);
#endif
}

double Stream::seconds_of([[maybe_unused]] const Queue& queue, const std::function<void()>& launches) const {
#ifdef PRECEPTOR_CUDA
  if (queue.native) return cuda::seconds_of(queue.native, launches);
#endif
  const auto begin = std::chrono::steady_clock::now();
  launches();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

void Stream::finish_launch([[maybe_unused]] const Queue& queue) {
  ++counts_.waits;
#ifdef PRECEPTOR_CUDA
  if (queue.native) cuda::synchronize(queue.native);
#endif
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
