// Device memory: reserved once, handed out and taken back at the same addresses for the same calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "kernels/device/device.h"

namespace preceptor::kernels {

// Device memory outside any pool, exactly `bytes` long and aligned to 64 bytes. On the emulated device an access behind
// its end is found by AddressSanitizer.
void* allocate(const Device& device, std::size_t bytes);
void release(const Device& device, void* memory);

// A range of device memory with a deterministic best-fit allocator: the same sequence of calls gives the same
// addresses, so launches can be recorded. On the cpu the range is address space only; pages come with first use.
// Not thread-safe: one thread drives a stream. Under AddressSanitizer what is free cannot be touched.
class Pool {
 public:
  // Reserves `bytes`. 0: on the host as much address space as is useful, 1 TiB; on cuda two fifths of the memory that
  // is free. `name` appears in errors.
  Pool(Device device, std::string name, std::size_t bytes = 0);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Aligned to 64 bytes. Throws when the pool is full, with the bytes asked for and free.
  void* allocate(std::size_t bytes);
  void release(void* pointer);

  std::size_t in_use() const { return in_use_; }             // bytes
  std::size_t peak() const { return peak_; }                 // highest in_use() so far, bytes
  std::int64_t allocations() const { return allocations_; }  // calls of allocate() so far
  std::size_t live() const { return used_.size(); }          // allocations not yet released
  void reset_peak() { peak_ = in_use_; }

  // Lets a replayed graph use the addresses it was recorded with, although they are free by now. Without
  // AddressSanitizer this does nothing.
  void expose();

 private:
  // Under AddressSanitizer what is not accessible cannot be touched.
  void set_accessible(std::size_t offset, std::size_t bytes, bool accessible);

  Device device_;
  std::string name_;
  std::byte* base_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t in_use_ = 0, peak_ = 0;
  std::size_t highest_ = 0;  // end of the highest address ever handed out
  std::int64_t allocations_ = 0;
  std::map<std::size_t, std::size_t> free_;  // offset -> bytes, neighbours merged
  std::map<std::size_t, std::size_t> used_;  // offset -> bytes
};

// Copies bytes within the device or between it and the host. Recorded like a kernel.
struct Copy {
  static constexpr const char* name = "copy";
  void* to;
  const void* from;
  std::size_t bytes;
};
Cost cost(const Copy& arguments);
void run_on(Cpu, const Copy& arguments);
void run_on(Emulated, const Copy& arguments);
void run_on(Cuda, const Copy& arguments);

}  // namespace preceptor::kernels
