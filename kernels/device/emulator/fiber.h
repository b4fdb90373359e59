// A stack and the place where it was left: what one CUDA thread runs on.
#pragma once

#include <cstddef>

namespace preceptor::kernels::emulator {

// Neither movable nor unwound: an abandoned fiber is started anew, and what lay on its stack is forgotten. Kernels own
// nothing that would need a destructor.
class Fiber {
 public:
  Fiber() = default;  // stands for the host thread itself
  explicit Fiber(std::size_t stack_bytes);
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // The next switch to this fiber calls entry(), which never returns.
  void start(void (*entry)());
  // Leaves this fiber, on which the caller runs, and goes on in `to`.
  void switch_to(Fiber& to);

  bool owns(const void* address) const { return address >= stack_ && address < stack_ + stack_bytes_; }

 private:
  static void arrive(void* left_context);

  void* context_ = nullptr;
  void (*entry_)() = nullptr;
  std::byte* stack_ = nullptr;  // lowest address
  std::size_t stack_bytes_ = 0;
  std::byte* mapping_ = nullptr;  // with the guard page below the stack
  void* fake_stack_ = nullptr;    // AddressSanitizer's
};

}  // namespace preceptor::kernels::emulator
