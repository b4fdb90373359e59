// Reserved address space with a deterministic best-fit allocator, and copies.
#include "kernels/device/memory.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "kernels/device/emulator/device_memory.h"
#ifdef PRECEPTOR_CUDA
#include "kernels/device/cuda/cuda_device.h"
#endif

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace preceptor::kernels {
namespace {

constexpr std::size_t alignment = 64;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t default_capacity = std::size_t{1} << 30;  // shadow memory is paid for the whole range
constexpr std::size_t red_zone = 64;
#else
constexpr std::size_t default_capacity = std::size_t{1} << 40;
constexpr std::size_t red_zone = 0;
#endif

std::atomic<std::int64_t> allocations_so_far{0};

#ifdef PRECEPTOR_CUDA
// The rest is for what CUDA itself needs: code, graphs, local memory.
std::size_t reserved_on_card() {
  const char* text = std::getenv("DEVICE_MEMORY_MIB");
  if (text == nullptr) return cuda::free_bytes() / 10 * 9;
  std::size_t mebibytes = 0;
  const char* const end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, mebibytes);
  if (error != std::errc() || rest != end || mebibytes == 0 || mebibytes > (std::size_t{1} << 24))
    throw Error(ErrorKind::usage, std::string("DEVICE_MEMORY_MIB=") + text + ": a number of MiB is expected");
  return mebibytes << 20;
}
#endif

void* reserve_address_space(const std::string& pool, std::size_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    throw Error(ErrorKind::internal,
                "pool " + pool + ": cannot reserve " + std::to_string(bytes) + " bytes of address space");
  // Huge pages save most of the page faults and TLB misses of the first step.
  madvise(memory, bytes, MADV_HUGEPAGE);
  return memory;
}

}  // namespace

void* allocate(const Device& device, std::size_t bytes) {
  ++allocations_so_far;
#ifdef PRECEPTOR_CUDA
  if (device.kind == DeviceKind::cuda) return cuda::allocate(bytes);
#endif
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment, std::max<std::size_t>(bytes, 1)) != 0)
    throw Error(ErrorKind::internal, "cannot allocate " + std::to_string(bytes) + " bytes");
  if (device.kind == DeviceKind::emulated) emulator::add_device_memory(memory, bytes);
  return memory;
}

void release(const Device& device, void* memory) {
#ifdef PRECEPTOR_CUDA
  if (device.kind == DeviceKind::cuda) return cuda::release(memory);
#endif
  if (device.kind == DeviceKind::emulated) emulator::remove_device_memory(memory);
  std::free(memory);
}

std::int64_t device_allocations() { return allocations_so_far; }

std::shared_ptr<std::byte> allocate_page_locked(const Device& device, std::size_t bytes) {
#ifdef PRECEPTOR_CUDA
  if (device.kind == DeviceKind::cuda)
    return {static_cast<std::byte*>(cuda::allocate_page_locked(bytes)), cuda::release_page_locked};
#endif
  void* memory = nullptr;
  if (device.kind == DeviceKind::cuda || posix_memalign(&memory, alignment, std::max<std::size_t>(bytes, 1)) != 0)
    throw Error(ErrorKind::internal, "cannot allocate " + std::to_string(bytes) + " bytes of host memory");
  return {static_cast<std::byte*>(memory), std::free};
}

Reservation::Reservation(Device device, const std::string& name, std::size_t bytes)
    : device_(device), capacity_(bytes ? bytes : default_capacity) {
#ifdef PRECEPTOR_CUDA
  if (device_.kind == DeviceKind::cuda && bytes == 0) capacity_ = reserved_on_card();
#endif
  capacity_ = (capacity_ + alignment - 1) / alignment * alignment;
  if (device_.kind == DeviceKind::cuda) {
    base_ = static_cast<std::byte*>(kernels::allocate(device_, capacity_));
    return;
  }
  ++allocations_so_far;
  base_ = static_cast<std::byte*>(reserve_address_space(name, capacity_));
  if (device_.kind == DeviceKind::emulated) emulator::add_device_memory(base_, capacity_);
  set_accessible(base_, capacity_, false);
}

Reservation::Reservation(Device device, void* memory, std::size_t bytes)
    : device_(device), owns_(false), base_(static_cast<std::byte*>(memory)), capacity_(bytes / alignment * alignment) {
  set_accessible(base_, capacity_, false);
}

Reservation::~Reservation() {
  if (device_.kind == DeviceKind::cuda) {
    if (owns_) kernels::release(device_, base_);
    return;
  }
  set_accessible(base_, capacity_, true);
  if (!owns_) return;
  if (device_.kind == DeviceKind::emulated) emulator::remove_device_memory(base_);
  munmap(base_, capacity_);
}

void Reservation::set_accessible(std::byte* begin, std::size_t bytes, bool accessible) {
  if (device_.kind == DeviceKind::cuda) return;  // not of this address space
  if (accessible)
    ASAN_UNPOISON_MEMORY_REGION(begin, bytes);
  else
    ASAN_POISON_MEMORY_REGION(begin, bytes);
}

Pool::Pool(std::shared_ptr<Reservation> reservation, std::string name, Side side)
    : reservation_(std::move(reservation)), name_(std::move(name)), side_(side) {
  free_[0] = reservation_->capacity_;
}
Pool::Pool(Device device, const std::string& name, std::size_t bytes)
    : Pool(std::make_shared<Reservation>(device, name, bytes), name, Side::beginning) {}
Pool::~Pool() = default;

std::byte* Pool::address_of(const Range& range) const {
  std::byte* const base = reservation_->base_;
  return side_ == Side::beginning ? base + range.offset : base + (reservation_->capacity_ - range.offset - range.bytes);
}

std::size_t Pool::extent() const { return reservation_->highest_[static_cast<int>(side_)]; }
std::size_t Pool::available() const {
  return reservation_->capacity_ - reservation_->highest_[1 - static_cast<int>(side_)];
}

void* Pool::allocate(std::size_t bytes) {
  const std::size_t size = (std::max<std::size_t>(bytes, 1) + red_zone + alignment - 1) / alignment * alignment;
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
  reservation_->set_accessible(address, bytes, true);
  return address;
}

void Pool::release(void* pointer) {
  const auto block = used_.find(pointer);
  if (block == used_.end())
    throw Error(ErrorKind::internal, "pool " + name_ + ": release of an address that is not in use");
  auto [offset, size] = block->second;
  reservation_->set_accessible(address_of(block->second), size, false);
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

void Pool::expose() { reservation_->set_accessible(address_of({0, extent()}), extent(), true); }

Cost cost(const Copy& arguments) { return {2.0 * static_cast<double>(arguments.bytes), 0}; }

void run_on(Cpu, const Copy& arguments) {
  if (arguments.bytes > 0)
    std::memcpy(arguments.to, arguments.from, arguments.bytes);  // pointers to nothing may be null
}
void run_on(Emulated, const Copy& arguments) { run_on(Cpu{}, arguments); }

}  // namespace preceptor::kernels
