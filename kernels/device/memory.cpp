// Reserved address space with a deterministic best-fit allocator, and copies.
#include "kernels/device/memory.h"

#include <sys/mman.h>

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
constexpr std::size_t default_capacity = std::size_t{1} << 32;  // shadow memory is paid for the whole range
constexpr std::size_t red_zone = 64;
#else
constexpr std::size_t default_capacity = std::size_t{1} << 40;
constexpr std::size_t red_zone = 0;
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

Pool::Pool(Device device, std::string name, std::size_t bytes)
    : device_(device), name_(std::move(name)), capacity_(bytes ? bytes : default_capacity) {
#ifdef PRECEPTOR_CUDA
  if (device_.kind == DeviceKind::cuda && bytes == 0) capacity_ = cuda::free_bytes() / 5 * 2;
#endif
  capacity_ = (capacity_ + alignment - 1) / alignment * alignment;
  base_ = static_cast<std::byte*>(device_.kind == DeviceKind::cuda ? kernels::allocate(device_, capacity_)
                                                                   : reserve_address_space(name_, capacity_));
  if (device_.kind == DeviceKind::emulated) emulator::add_device_memory(base_, capacity_);
  free_[0] = capacity_;
  set_accessible(0, capacity_, false);
}

Pool::~Pool() {
  if (device_.kind == DeviceKind::cuda) {
    kernels::release(device_, base_);
    return;
  }
  if (device_.kind == DeviceKind::emulated) emulator::remove_device_memory(base_);
  set_accessible(0, capacity_, true);
  munmap(base_, capacity_);
}

void Pool::set_accessible(std::size_t offset, std::size_t bytes, bool accessible) {
  if (device_.kind == DeviceKind::cuda) return;  // not of this address space
  if (accessible)
    ASAN_UNPOISON_MEMORY_REGION(base_ + offset, bytes);
  else
    ASAN_POISON_MEMORY_REGION(base_ + offset, bytes);
}

void* Pool::allocate(std::size_t bytes) {
  const std::size_t size = (std::max<std::size_t>(bytes, 1) + red_zone + alignment - 1) / alignment * alignment;
  auto best = free_.end();
  for (auto range = free_.begin(); range != free_.end(); ++range)
    if (range->second >= size && (best == free_.end() || range->second < best->second)) best = range;
  if (best == free_.end() || size < bytes)  // size wraps for absurd requests
    throw Error(ErrorKind::internal, "pool " + name_ + ": " + std::to_string(bytes) + " bytes asked for, " +
                                         std::to_string(capacity_ - in_use_) + " of " + std::to_string(capacity_) +
                                         " free");
  const auto [offset, available] = *best;
  free_.erase(best);
  if (available > size) free_[offset + size] = available - size;
  used_[offset] = size;
  in_use_ += size;
  peak_ = std::max(peak_, in_use_);
  ++allocations_;
  highest_ = std::max(highest_, offset + size);
  set_accessible(offset, bytes, true);
  return base_ + offset;
}

void Pool::release(void* pointer) {
  const auto block = used_.find(static_cast<std::size_t>(static_cast<std::byte*>(pointer) - base_));
  if (block == used_.end())
    throw Error(ErrorKind::internal, "pool " + name_ + ": release of an address that is not in use");
  auto [offset, size] = *block;
  set_accessible(offset, size, false);
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

void Pool::expose() { set_accessible(0, highest_, true); }

Cost cost(const Copy& arguments) { return {2.0 * static_cast<double>(arguments.bytes), 0}; }

void run_on(Cpu, const Copy& arguments) {
  if (arguments.bytes > 0) std::memcpy(arguments.to, arguments.from, arguments.bytes);  // pointers to nothing may be null
}
void run_on(Emulated, const Copy& arguments) { run_on(Cpu{}, arguments); }

}  // namespace preceptor::kernels
