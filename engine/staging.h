// The way of a batch to the device: gathered in page-locked memory, copied up beside the step before it.
#pragma once

#include <vector>

#include "engine/context.h"

namespace preceptor {

// A ring of two blocks of host memory and two of the device. While the device computes on one batch, the host fills the
// next block and a stream of its own copies it up; launches that follow send() find the values in place. Blocks grow in
// the first steps to what a step brings; then nothing is allocated and no stream is waited for. On the cpu the blocks
// of the host are read directly; on the emulated device all copies are made, in order.
class Staging {
 public:
  explicit Staging(Context& context);

  // These bytes are to be at `to`, in device memory, from the next send() on. They are taken at once. Waits only where
  // the copy of two batches ago is still on its way: the host can be no further ahead.
  void add(void* to, const void* from, std::size_t bytes);
  template <class T>
  void add(void* to, const std::vector<T>& values) {
    add(to, values.data(), values.size() * sizeof(T));
  }

  // Sends what was added since the last send(). A step that is recorded cannot contain it.
  void send();

 private:
  struct Piece {
    void* to;
    std::size_t offset, bytes;
  };
  struct Slot {
    explicit Slot(const kernels::Device& on) : arrived(on), taken(on) {}
    std::size_t capacity = 0;
    std::shared_ptr<std::byte> host;
    std::unique_ptr<Buffer> device;
    kernels::Event arrived;  // the copy up is done: the host's block may be filled again
    kernels::Event taken;    // the launches of the step have their values: the device's block may be filled again
  };
  void grow(Slot& slot, std::size_t bytes);

  Context& context_;
  kernels::Stream copies_;
  Slot slots_[2];
  int current_ = 0;
  std::size_t used_ = 0;  // of the current slot, bytes
  std::vector<Piece> pieces_;
};

}  // namespace preceptor
