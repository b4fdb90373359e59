// Reserved address space with a deterministic best-fit allocator, and copies.
#include "kernels/device/memory.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "kernels/device/driver.h"

namespace preceptor::kernels {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t red_zone = 64;
#else
constexpr std::size_t red_zone = 0;
#endif

std::atomic<std::int64_t> allocations_so_far{0};

std::size_t aligned(std::size_t bytes) { return (bytes + memory_alignment - 1) / memory_alignment * memory_alignment; }

}  // namespace

void* allocate(const Device& device, std::size_t bytes) {
  ++allocations_so_far;
  return driver_of(device.kind).allocate(bytes);
}

void release(const Device& device, void* memory) { driver_of(device.kind).release(memory); }

std::int64_t device_allocations() { return allocations_so_far; }

std::shared_ptr<std::byte> allocate_page_locked(const Device& device, std::size_t bytes) {
  return driver_of(device.kind).allocate_page_locked(bytes);
}

Reservation::Reservation(Device device, const std::string& name, std::size_t bytes)
    : driver_(driver_of(device.kind)), capacity_(aligned(bytes ? bytes : driver_.default_capacity())) {
  ++allocations_so_far;
  base_ = static_cast<std::byte*>(driver_.reserve(name, capacity_));
  driver_.set_accessible(base_, capacity_, false);
}

Reservation::Reservation(Device device, void* memory, std::size_t bytes)
    : driver_(driver_of(device.kind)),
      owns_(false),
      base_(static_cast<std::byte*>(memory)),
      capacity_(bytes / memory_alignment * memory_alignment) {
  driver_.set_accessible(base_, capacity_, false);
}

Reservation::~Reservation() {
  driver_.set_accessible(base_, capacity_, true);
  if (owns_) driver_.release_reserved(base_, capacity_);
}

Pool::Pool(std::shared_ptr<Reservation> reservation, std::string name, Side side)
    : reservation_(std::move(reservation)), name_(std::move(name)), side_(side) {
  free_[0] = reservation_->capacity_;
}
Pool::Pool(Device device, const std::string& name, std::size_t bytes)
    : Pool(std::make_shared<Reservation>(device, name, bytes), name, Side::beginning) {}

std::byte* Pool::address_of(const Range& range) const {
  std::byte* const base = reservation_->base_;
  return side_ == Side::beginning ? base + range.offset : base + (reservation_->capacity_ - range.offset - range.bytes);
}

std::size_t Pool::extent() const { return reservation_->highest_[static_cast<int>(side_)]; }
std::size_t Pool::available() const {
  return reservation_->capacity_ - reservation_->highest_[1 - static_cast<int>(side_)];
}

void* Pool::allocate(std::size_t bytes) {
  const std::size_t size = aligned(std::max<std::size_t>(bytes, 1) + red_zone);
  const std::size_t limit = available();
  auto best = free_.end();
  for (auto range = free_.begin(); range != free_.end(); ++range) {
    const bool fits = range->second >= size && size <= limit && range->first <= limit - size;
    if (fits && (best == free_.end() || range->second < best->second)) best = range;
  }
  if (best == free_.end() || size < bytes) {  // size wraps for absurd requests
    refused_ = true;
    throw Error(ErrorKind::internal, "pool " + name_ + ": " + std::to_string(bytes) + " bytes asked for, " +
                                         std::to_string(limit - in_use_) + " of " + std::to_string(limit) + " free");
  }
  const auto [offset, free_bytes] = *best;
  free_.erase(best);
  if (free_bytes > size) free_[offset + size] = free_bytes - size;
  const Range range{offset, size};
  std::byte* const address = address_of(range);
  used_[address] = range;
  in_use_ += size;
  peak_ = std::max(peak_, in_use_);
  ++allocations_;
  std::size_t& highest = reservation_->highest_[static_cast<int>(side_)];
  highest = std::max(highest, offset + size);
  reservation_->driver_.set_accessible(address, bytes, true);
  return address;
}

void Pool::release(void* pointer) {
  const auto block = used_.find(pointer);
  if (block == used_.end())
    throw Error(ErrorKind::internal, "pool " + name_ + ": release of an address that is not in use");
  auto [offset, size] = block->second;
  reservation_->driver_.set_accessible(address_of(block->second), size, false);
  in_use_ -= size;
  used_.erase(block);
  auto next = free_.lower_bound(offset);
  if (next != free_.end() && offset + size == next->first) {
    size += next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    auto before = std::prev(next);
    if (before->first + before->second == offset) {
      before->second += size;
      return;
    }
  }
  free_[offset] = size;
}

void Pool::expose() { reservation_->driver_.set_accessible(address_of({0, extent()}), extent(), true); }

void run_on(Cpu, const Copy& arguments) {
  if (arguments.bytes > 0)
    std::memcpy(arguments.to, arguments.from, arguments.bytes);  // pointers to nothing may be null
}
void run_on(Emulated, const Copy& arguments) { run_on(Cpu{}, arguments); }

}  // namespace preceptor::kernels
