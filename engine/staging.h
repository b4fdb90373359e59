// Uploads batches: gathered in page-locked memory and copied to the device while the previous step runs.
#pragma once

#include <vector>

#include "engine/context.h"
#include "kernels/staged_copy/slot.h"

namespace preceptor {

using kernels::StreamCounts;

// A ring of two slots, each a block of host memory and one of the device. While the device computes on one batch, the
// host fills the next slot and a stream of its own copies it up, in one copy; the step begins with take(), one launch
// that puts what came up in its places. The index of the slot is in device memory, so a recorded step alternates
// between them. Slots grow in the first steps to the size of a batch; then nothing is allocated and no stream is waited
// for. The emulated device makes all copies, in order. The cpu needs no ring: bytes go to their places at once.
class Staging {
 public:
  explicit Staging(Context& context);

  // Schedules these bytes for `to`, in device memory, when the next batch is taken; they are copied from the host at
  // once. Waits only if the upload of two batches ago is still running: the host can be no further ahead. `to` is a
  // multiple of 4 bytes, and places of one batch do not overlap.
  void add(void* to, const void* from, std::size_t bytes);
  template <class T>
  void add(void* to, const std::vector<T>& values) {
    add(to, values.data(), values.size() * sizeof(T));
  }

  // Uploads everything added since the last send(), which must not be nothing. One step that takes it has to follow; a
  // recorded step cannot contain it.
  void send();

  // The first launch of a step: puts the contents of the last send() in their places.
  void take();

  // Counts of the uploading stream: a launch is a copy.
  const StreamCounts& counts() const { return copies_.counts(); }

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
  std::size_t used_ = 0;  // bytes of the current slot; on the cpu: bytes added
  std::size_t sent_ = 0;  // bytes of the last send()
  std::vector<kernels::StagedSegment> segments_;
};

}  // namespace preceptor
