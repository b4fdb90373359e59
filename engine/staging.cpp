// Filling, sending and growing of the ring.
#include "engine/staging.h"

#include <algorithm>
#include <cstring>

namespace preceptor {

namespace {
constexpr std::size_t alignment = 64;  // of pieces
}

Staging::Staging(Context& context)
    : context_(context), copies_(context.device()), slots_{Slot(context.device()), Slot(context.device())} {}

void Staging::add(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  Slot& slot = slots_[current_];
  if (pieces_.empty()) slot.arrived.wait();
  if (used_ + bytes > slot.capacity) grow(slot, used_ + bytes);
  std::memcpy(slot.host.get() + used_, from, bytes);
  pieces_.push_back({to, used_, bytes});
  used_ += (bytes + alignment - 1) / alignment * alignment;
}

void Staging::send() {
  Slot& slot = slots_[current_];
  const bool copied = slot.device != nullptr;
  if (copied) {
    copies_.wait_for(slot.taken);
    kernels::run(kernels::Copy{slot.device->data(), slot.host.get(), std::min(used_, slot.capacity)}, copies_);
    copies_.mark(slot.arrived);
    context_.stream().wait_for(slot.arrived);
  }
  const auto* block = copied ? static_cast<const std::byte*>(slot.device->data()) : slot.host.get();
  for (const Piece& piece : pieces_) context_.run(kernels::Copy{piece.to, block + piece.offset, piece.bytes});
  context_.stream().mark(slot.taken);
  pieces_.clear();
  used_ = 0;
  current_ = 1 - current_;
}

void Staging::grow(Slot& slot, std::size_t bytes) {
  // What reads the old blocks has to be done first.
  copies_.synchronize();
  context_.stream().synchronize();
  const std::shared_ptr<std::byte> host = kernels::allocate_page_locked(context_.device(), bytes);
  if (used_ > 0) std::memcpy(host.get(), slot.host.get(), std::min(used_, slot.capacity));
  slot.host = host;
  slot.capacity = bytes;
  if (context_.device().kind == kernels::DeviceKind::cpu) return;
  slot.device.reset();
  slot.device = std::make_unique<Buffer>(context_.pool(Lifetime::persistent), bytes);
}

}  // namespace preceptor
