// Filling, sending and growing of the ring.
#include "engine/staging.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "kernels/staged_copy/staged_copy.h"

namespace preceptor {

namespace {

constexpr std::size_t alignment = 64;  // for segments and their table
std::size_t aligned(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

}  // namespace

Staging::Staging(Context& context)
    : context_(context),
      copies_(context.device()),
      device_slots_(context.pool(Lifetime::persistent), sizeof(kernels::StagedSlots)),
      slots_{Slot(context.device()), Slot(context.device())} {
  const kernels::StagedSlots none = {};
  context_.copy_and_wait(device_slots_.data(), &none, sizeof none);
}

void Staging::add(void* to, const void* from, std::size_t bytes) {
  if (bytes == 0) return;
  assert(reinterpret_cast<std::uintptr_t>(to) % 4 == 0);
  if (in_place()) {
    std::memcpy(to, from, bytes);
    used_ += bytes;
    return;
  }
  if (segments_.empty()) {
    slots_[current_].arrived.wait();
    used_ = sizeof(kernels::StagedHeader);
  }
  // Rows that are added one by one become one segment.
  const bool continues =
      !segments_.empty() && static_cast<std::byte*>(segments_.back().to) + segments_.back().bytes == to;
  if (!continues) {
    used_ = aligned(used_);
    segments_.push_back({to, static_cast<std::int64_t>(used_), 0});
  }
  reserve(used_ + bytes);
  std::memcpy(slots_[current_].host.get() + used_, from, bytes);
  segments_.back().bytes += static_cast<std::int64_t>(bytes);
  used_ += bytes;
}

void Staging::send() {
  require(in_place() ? used_ > 0 : !segments_.empty(), "staging: nothing was added");
  if (in_place()) {
    used_ = 0;
    return;
  }
  const std::size_t table = aligned(used_), table_bytes = segments_.size() * sizeof(kernels::StagedSegment);
  reserve(table + table_bytes);
  Slot& slot = slots_[current_];
  const kernels::StagedHeader header{static_cast<std::int64_t>(segments_.size()), static_cast<std::int64_t>(table)};
  std::memcpy(slot.host.get(), &header, sizeof header);
  std::memcpy(slot.host.get() + table, segments_.data(), table_bytes);
  sent_ = table + table_bytes;
  // After the launch of the step that took the other slot.
  context_.stream().mark(slots_[1 - current_].taken);
  copies_.wait_for(slot.taken);
  kernels::run(kernels::Copy{slot.device->data(), slot.host.get(), sent_}, copies_);
  copies_.mark(slot.arrived);
  context_.stream().wait_for(slot.arrived);
  segments_.clear();
  current_ = 1 - current_;
}

void Staging::take() {
  if (in_place()) return;
  context_.run(
      kernels::StagedCopy{static_cast<kernels::StagedSlots*>(device_slots_.data()), static_cast<std::int64_t>(sent_)});
}

void Staging::reserve(std::size_t bytes) {
  Slot& slot = slots_[current_];
  if (bytes <= slot.capacity) return;
  // All reads of the old blocks have to be done first.
  copies_.synchronize();
  context_.stream().synchronize();
  const std::size_t capacity = std::max(bytes, 2 * slot.capacity);
  const std::shared_ptr<std::byte> host = kernels::allocate_page_locked(context_.device(), capacity);
  if (slot.host) std::memcpy(host.get(), slot.host.get(), std::min(used_, slot.capacity));
  slot.host = host;
  slot.capacity = capacity;
  slot.device.reset();
  slot.device = std::make_unique<Buffer>(context_.pool(Lifetime::persistent), capacity);
  const auto* block = static_cast<const std::byte*>(slot.device->data());
  auto* place = static_cast<kernels::StagedSlots*>(device_slots_.data())->slot + current_;
  context_.copy_and_wait(place, &block, sizeof block);
}

}  // namespace preceptor
