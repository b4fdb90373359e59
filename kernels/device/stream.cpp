// Streams: launching, capture and replay, branches, events, and the profile of launches.
#include <cstdlib>
#include <cstring>
#include <utility>

#include "kernels/device/driver.h"
#include "kernels/device/memory.h"

namespace preceptor::kernels {
namespace {

bool is_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr && std::strcmp(value, "1") == 0;
}

}  // namespace

NamedRange::NamedRange(const Device& device, const char* name) : driver_(driver_of(device.kind)) {
  driver_.begin_range(name);
}
NamedRange::~NamedRange() { driver_.end_range(); }

Event::Event(const Device& device) : driver_(driver_of(device.kind)), native_(driver_.create_event()) {}
Event::~Event() { driver_.destroy_event(native_); }
void Event::wait() const { driver_.wait(native_); }

void Graph::replay() const {
  ++stream_->counts_.graph_launches;
  if (native_ && !stream_->profiling_ && !stream_->sync_every_launch_)
    return stream_->driver_.launch_graph(native_.get(), stream_->queues_[0].native);
  for (const auto& node : nodes_) node();
}

Stream::Stream(Device device)
    : device_(device), driver_(driver_of(device.kind)), sync_every_launch_(is_set("SYNC_EVERY_LAUNCH")) {
  open_queue(queues_[0]);
}

Stream::~Stream() {
  for (const Queue& queue : queues_) {
    if (queue.tickets) release(device_, queue.tickets);
    if (queue.native) driver_.destroy_stream(queue.native);
  }
}

void Stream::open_queue(Queue& queue) {
  if (device_.kind == DeviceKind::cpu) return;
  constexpr std::size_t bytes = ticket_count * sizeof(unsigned);
  queue.native = driver_.create_stream();
  queue.tickets = static_cast<unsigned*>(allocate(device_, bytes));
  driver_.fill_with_zeros(queue.tickets, bytes, queue.native);
}

void Stream::synchronize() const {
  if (mode_ != Mode::launching) throw Error(ErrorKind::internal, "a recorded step may not wait for its own results");
  finish(queues_[0]);
}

void Stream::begin_capture() {
  graph_ = Graph();
  graph_.stream_ = this;
  driver_.begin_capture(queues_[0].native);
  mode_ = Mode::recording;
}

Graph Stream::end_capture() {
  mode_ = Mode::launching;
  graph_.native_ = driver_.end_capture(queues_[0].native);
  return std::move(graph_);
}

void Stream::abandon_capture() noexcept {
  mode_ = Mode::launching;
  queue_ = 0;
  graph_ = Graph();
  driver_.abandon_capture(queues_[0].native);
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

void Stream::order(int from, int to, const Event& event) {
  if (!event.native_ || mode_ == Mode::dropping) return;
  const auto wait = [this, first = queues_[from].native, then = queues_[to].native, native = event.native_] {
    driver_.record(native, first);
    driver_.wait_for(then, native);
  };
  if (mode_ == Mode::recording) graph_.nodes_.emplace_back(wait);
  wait();
}

void Stream::mark(Event& event) { driver_.record(event.native_, queues_[0].native); }

void Stream::wait_for(const Event& event) { driver_.wait_for(queues_[0].native, event.native_); }

double Stream::seconds_of(const Queue& queue, const std::function<void()>& launches) const {
  return driver_.seconds_of(queue.native, launches);
}

void Stream::finish(const Queue& queue) const {
  ++counts_.waits;
  driver_.synchronize(queue.native);
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
