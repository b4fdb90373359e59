// The way of a batch to the device: gathered in page-locked memory, copied up beside the step before it.
#pragma once

#include <vector>

#include "engine/context.h"
#include "kernels/staged_copy/staged_copy.h"

namespace preceptor {

// A ring of two slots, each a block of host memory and one of the device. While the device computes on one batch, the
// host fills the next slot and a stream of its own copies it up, in one copy; the step begins with take(), one launch
// that puts what came up in its places. Which slot that is stands in device memory, so a recorded step takes them in
// turn. Slots grow in the first steps to what a step brings; then nothing is allocated and no stream is waited for. On
// the emulated device all copies are made, in order. On the cpu no step is ever behind: there is no ring, and bytes go
// to their places at once.
class Staging {
 public:
  explicit Staging(Context& context);

  // These bytes are to be at `to`, in device memory, when the next batch is taken. They are copied at once. Waits only
  // where the copy of two batches ago is still on its way: the host can be no further ahead. `to` is a multiple of 4
  // bytes, and places of one batch do not overlap.
  void add(void* to, const void* from, std::size_t bytes);
  template <class T>
  void add(void* to, const std::vector<T>& values) {
    add(to, values.data(), values.size() * sizeof(T));
  }

  // Sends up what was added since the last send(), something at least. One step that takes it has to follow; a step
  // that is recorded cannot contain it.
  void send();

  // The first launch of a step: what the last send() brought is in its places for all that follow.
  void take();

  // Of the stream that copies up: a launch is a copy.
  const kernels::StreamCounts& counts() const { return copies_.counts(); }

 private:
  struct Slot {
    explicit Slot(const kernels::Device& on) : arrived(on), taken(on) {}
    std::size_t capacity = 0;
    std::shared_ptr<std::byte> host;
    std::unique_ptr<Buffer> device;
    kernels::Event arrived;  // the copy up is done: the host's block may be filled again
    kernels::Event taken;    // the step that took it is done: the device's block may be filled again
  };
  // Makes room for so many bytes in the current slot.
  void reserve(std::size_t bytes);
  bool in_place() const { return context_.device().kind == kernels::DeviceKind::cpu; }

  Context& context_;
  kernels::Stream copies_;
  Buffer device_slots_;  // kernels::StagedSlots
  Slot slots_[2];
  int current_ = 0;
  std::size_t used_ = 0;  // of the current slot, bytes; in place: what was added
  std::size_t sent_ = 0;  // by the last send(), bytes
  std::vector<kernels::StagedSegment> segments_;
};

}  // namespace preceptor
