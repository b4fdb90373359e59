// A map of ranges, guarded by a mutex; only the watcher asks it.
#include "kernels/device/emulator/device_memory.h"

#include <map>
#include <mutex>

namespace preceptor::kernels::emulator {
namespace {

std::mutex mutex;
std::map<const std::byte*, std::size_t>& ranges() {
  static std::map<const std::byte*, std::size_t> all;
  return all;
}

}  // namespace

void add_device_memory(const void* address, std::size_t bytes) {
  const std::lock_guard lock(mutex);
  ranges()[static_cast<const std::byte*>(address)] = bytes;
}

void remove_device_memory(const void* address) {
  const std::lock_guard lock(mutex);
  ranges().erase(static_cast<const std::byte*>(address));
}

bool is_device_memory(const void* address, std::size_t bytes) {
  const std::lock_guard lock(mutex);
  const auto* first = static_cast<const std::byte*>(address);
  auto range = ranges().upper_bound(first);
  if (range == ranges().begin()) return false;
  --range;
  return first + bytes <= range->first + range->second;
}

}  // namespace preceptor::kernels::emulator
