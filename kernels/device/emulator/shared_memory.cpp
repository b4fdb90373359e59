// One arena a worker; under AddressSanitizer a heap block of exact size for every array of every block.
#include "kernels/device/emulator/shared_memory.h"

#include <cstdlib>
#include <cstring>

namespace preceptor::kernels::emulator {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool exact_blocks = true;
#else
constexpr bool exact_blocks = false;
#endif

}  // namespace

SharedMemory::SharedMemory() : arena_(static_cast<std::byte*>(std::aligned_alloc(alignment, arena_bytes))) {}
SharedMemory::~SharedMemory() { std::free(arena_); }

void SharedMemory::begin_block(std::size_t dynamic_bytes) {
  dynamic_bytes_ = dynamic_bytes;
  static_bytes_ = used_ = 0;
}

void SharedMemory::end_block() {
  if (exact_blocks)
    for (const Array& array : arrays_) std::free(array.memory);
  arrays_.clear();
}

std::byte* SharedMemory::allocate(std::size_t bytes) {
  if (exact_blocks) {
    void* memory = nullptr;
    return posix_memalign(&memory, 16, bytes) == 0 ? static_cast<std::byte*>(memory) : nullptr;
  }
  std::byte* memory = arena_ + used_;
  used_ += (bytes / alignment + 2) * alignment;
  return used_ <= arena_bytes ? memory : nullptr;
}

void* SharedMemory::array(const void* key, std::size_t bytes) {
  for (const Array& array : arrays_)
    if (array.key == key) return array.memory;
  if (key) static_bytes_ += bytes;
  if (static_bytes_ > most_static_shared || static_bytes_ + dynamic_bytes_ > most_shared) return nullptr;
  std::byte* memory = allocate(bytes);
  if (!memory) return nullptr;
  // All ones: a NaN in every storage type. Stale memory would make a kernel that forgets a barrier give right results.
  std::memset(memory, 0xff, bytes);
  arrays_.push_back({key, memory, bytes});
  return memory;
}

bool SharedMemory::in_an_array(const void* address, std::size_t bytes) const {
  const auto* first = static_cast<const std::byte*>(address);
  for (const Array& array : arrays_)
    if (first >= array.memory && first + bytes <= array.memory + array.bytes) return true;
  return false;
}

}  // namespace preceptor::kernels::emulator
