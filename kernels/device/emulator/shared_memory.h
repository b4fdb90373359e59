// The shared memory of the block that runs: NaN until a thread writes it.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace preceptor::kernels::emulator {

constexpr std::size_t most_static_shared = 48 * 1024;  // bytes, as nvcc allows
constexpr std::size_t most_shared = 227 * 1024;        // bytes a block, sm_90

class SharedMemory {
 public:
  SharedMemory();
  ~SharedMemory();

  void begin_block(std::size_t dynamic_bytes);
  void end_block();

  // The array of a SHARED line, made when the first thread of the block comes there; nullptr when it does not fit.
  void* array(const void* key, std::size_t bytes);
  void* dynamic() { return array(nullptr, dynamic_bytes_); }

  // The array of an address; inside the arena but in no array is out of bounds.
  bool in_arena(const void* address) const { return address >= arena_ && address < arena_ + arena_bytes; }
  bool in_an_array(const void* address, std::size_t bytes) const;
  std::size_t static_bytes() const { return static_bytes_; }

 private:
  // Arrays start at multiples of 128 bytes, so that banks are those of an array's own indices; each leaves
  // a gap after it.
  static constexpr std::size_t alignment = 128;
  static constexpr std::size_t arena_bytes = 512 * 1024;

  struct Array {
    const void* key;
    std::byte* memory;
    std::size_t bytes;
  };
  std::byte* allocate(std::size_t bytes);

  std::byte* arena_;
  std::size_t used_ = 0, dynamic_bytes_ = 0, static_bytes_ = 0;
  std::vector<Array> arrays_;
};

}  // namespace preceptor::kernels::emulator
