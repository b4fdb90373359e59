// Device memory: reserved once, handed out and taken back at the same addresses for the same calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "kernels/device/device.h"

namespace preceptor::kernels {

// Device memory outside any pool, exactly `bytes` long and aligned to 64 bytes. On the emulated device an access past
// its end is found by AddressSanitizer.
void* allocate(const Device& device, std::size_t bytes);
void release(const Device& device, void* memory);
// Calls of allocate() so far in this process, reservations included: each is a cudaMalloc on cuda.
std::int64_t device_allocations();

// Host memory that the device reads and writes at full speed, without the host waiting: page-locked on cuda. Aligned to
// 64 bytes, released with the last owner.
std::shared_ptr<std::byte> allocate_page_locked(const Device& device, std::size_t bytes);

// A range of device memory, taken once, out of which pools hand memory out: one from its beginning, one from its end,
// towards each other.
class Reservation {
 public:
  // 0 bytes: on the host as much address space as is useful, 1 TiB, whose pages come with first use; on cuda nine
  // tenths of the memory that is free, or DEVICE_MEMORY_MIB of the environment.
  Reservation(Device device, const std::string& name, std::size_t bytes = 0);
  // Over memory that belongs to another pool and stays its own.
  Reservation(Device device, void* memory, std::size_t bytes);
  ~Reservation();
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;

 private:
  friend class Pool;
  const Driver& driver_;
  bool owns_ = true;
  std::byte* base_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t highest_[2] = {0, 0};  // most bytes ever handed out from the beginning and from the end
};

enum class Side { beginning, end };

// Device memory behind a deterministic best-fit allocator: the same sequence of calls gives the same addresses, so
// launches can be recorded. Not thread-safe: one thread drives a stream. Under AddressSanitizer what is
// free cannot be touched.
class Pool {
 public:
  // `name` appears in errors.
  Pool(std::shared_ptr<Reservation> reservation, std::string name, Side side);
  // With a reservation of its own.
  Pool(Device device, const std::string& name, std::size_t bytes = 0);
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
  std::size_t extent() const;                // bytes up to the outermost ever handed out, gaps included
  std::size_t available() const;             // bytes that it may grow to
  bool refused() const { return refused_; }  // whether an allocation did not fit

  // Lets a replayed graph use the addresses it was recorded with, although they are free by now. Without
  // AddressSanitizer this does nothing.
  void expose();

 private:
  struct Range {
    std::size_t offset, bytes;
  };
  std::byte* address_of(const Range& range) const;

  std::shared_ptr<Reservation> reservation_;
  std::string name_;
  Side side_;
  std::size_t in_use_ = 0, peak_ = 0;
  bool refused_ = false;
  std::int64_t allocations_ = 0;
  std::map<std::size_t, std::size_t> free_;  // offset from the pool's side -> bytes, neighbors merged
  std::map<const void*, Range> used_;
};

// Copies bytes within the device or between it and the host. Recorded like a kernel.
struct Copy {
  static constexpr const char* name = "copy";
  void* to;
  const void* from;
  std::size_t bytes;

  Cost cost() const { return {2 * static_cast<double>(bytes), 0}; }
};
void run_on(Cpu, const Copy& arguments);
void run_on(Emulated, const Copy& arguments);
void run_on(Cuda, const Copy& arguments);

}  // namespace preceptor::kernels
