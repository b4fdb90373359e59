// The driver of host memory, and which driver a device has.
#include "kernels/device/driver.h"

#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include "kernels/device/emulator/device_memory.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace preceptor::kernels {
namespace {

void* allocate_aligned(std::size_t bytes, const char* kind) {
  void* memory = nullptr;
  if (posix_memalign(&memory, memory_alignment, std::max<std::size_t>(bytes, 1)) != 0)
    throw Error(ErrorKind::internal, "cannot allocate " + std::to_string(bytes) + " bytes" + kind);
  return memory;
}

class HostDriver : public Driver {
 public:
  void* allocate(std::size_t bytes) const override { return allocate_aligned(bytes, ""); }
  void release(void* memory) const override { std::free(memory); }
  void* reserve(const std::string& name, std::size_t bytes) const override;
  void release_reserved(void* memory, std::size_t bytes) const override { munmap(memory, bytes); }
  std::size_t default_capacity() const override;
  std::shared_ptr<std::byte> allocate_page_locked(std::size_t bytes) const override {
    return {static_cast<std::byte*>(allocate_aligned(bytes, " of host memory")), std::free};
  }
  void fill_with_zeros(void* memory, std::size_t bytes, void*) const override { std::memset(memory, 0, bytes); }
  void set_accessible(void* memory, std::size_t bytes, bool accessible) const override;

  void* create_stream() const override { return nullptr; }
  void destroy_stream(void*) const override {}
  void synchronize(void*) const override {}
  double seconds_of(void* stream, const std::function<void()>& launches) const override;

  void* create_event() const override { return nullptr; }
  void destroy_event(void*) const override {}
  void record(void*, void*) const override {}
  void wait_for(void*, void*) const override {}
  void wait(void*) const override {}

  void begin_capture(void*) const override {}
  std::shared_ptr<void> end_capture(void*) const override { return nullptr; }
  void abandon_capture(void*) const noexcept override {}
  void launch_graph(void*, void*) const override {}

  void begin_range(const char*) const override {}
  void end_range() const override {}
};

void* HostDriver::reserve(const std::string& name, std::size_t bytes) const {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    throw Error(ErrorKind::internal,
                "pool " + name + ": cannot reserve " + std::to_string(bytes) + " bytes of address space");
  // Huge pages save most of the page faults and TLB misses of the first step.
  madvise(memory, bytes, MADV_HUGEPAGE);
  return memory;
}

std::size_t HostDriver::default_capacity() const {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return std::size_t{1} << 30;  // shadow memory is paid for the whole range
#else
  return std::size_t{1} << 40;
#endif
}

void HostDriver::set_accessible(void* memory, std::size_t bytes, bool accessible) const {
  if (accessible)
    ASAN_UNPOISON_MEMORY_REGION(memory, bytes);
  else
    ASAN_POISON_MEMORY_REGION(memory, bytes);
}

double HostDriver::seconds_of(void*, const std::function<void()>& launches) const {
  const auto begin = std::chrono::steady_clock::now();
  launches();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// The emulator's watcher asks which addresses are device memory.
class EmulatedDriver final : public HostDriver {
 public:
  void* allocate(std::size_t bytes) const override { return added(HostDriver::allocate(bytes), bytes); }
  void release(void* memory) const override {
    emulator::remove_device_memory(memory);
    HostDriver::release(memory);
  }
  void* reserve(const std::string& name, std::size_t bytes) const override {
    return added(HostDriver::reserve(name, bytes), bytes);
  }
  void release_reserved(void* memory, std::size_t bytes) const override {
    emulator::remove_device_memory(memory);
    HostDriver::release_reserved(memory, bytes);
  }

 private:
  static void* added(void* memory, std::size_t bytes) {
    emulator::add_device_memory(memory, bytes);
    return memory;
  }
};

}  // namespace

const Driver& driver_of(DeviceKind kind) {
  static const HostDriver host;
  static const EmulatedDriver emulated;
  if constexpr (built_with_cuda)
    if (kind == DeviceKind::cuda) return cuda::driver();
  return kind == DeviceKind::emulated ? emulated : host;
}

}  // namespace preceptor::kernels
