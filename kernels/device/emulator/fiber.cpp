// Switches of 7 ns through Boost.Context, announced to AddressSanitizer.
#include "kernels/device/emulator/fiber.h"

#include <sys/mman.h>

#include <boost/context/detail/fcontext.hpp>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define ASAN_UNPOISON_MEMORY_REGION(address, size) ((void)(address), (void)(size))
#endif

namespace preceptor::kernels::emulator {
namespace {

namespace context = boost::context::detail;

constexpr std::size_t guard_bytes = 4096;

thread_local Fiber* left = nullptr;     // by the last switch
thread_local Fiber* entered = nullptr;  // by the last switch

}  // namespace

Fiber::Fiber(std::size_t stack_bytes) : stack_bytes_(stack_bytes) {
  void* memory = mmap(nullptr, stack_bytes + guard_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mprotect(memory, guard_bytes, PROT_NONE);
  mapping_ = static_cast<std::byte*>(memory);
  stack_ = mapping_ + guard_bytes;
}

Fiber::~Fiber() {
  if (mapping_) munmap(mapping_, stack_bytes_ + guard_bytes);
}

void Fiber::arrive([[maybe_unused]] void* left_context) {
  left->context_ = left_context;
#if defined(__SANITIZE_ADDRESS__)
  const void* bottom = nullptr;
  std::size_t size = 0;
  __sanitizer_finish_switch_fiber(entered->fake_stack_, &bottom, &size);
  if (!left->mapping_) {  // the host thread's stack becomes known when it is left
    left->stack_ = static_cast<std::byte*>(const_cast<void*>(bottom));
    left->stack_bytes_ = size;
  }
#endif
}

void Fiber::start(void (*entry)()) {
  ASAN_UNPOISON_MEMORY_REGION(stack_, stack_bytes_);  // frames that were abandoned
  entry_ = entry;
  fake_stack_ = nullptr;
  context_ = context::make_fcontext(stack_ + stack_bytes_, stack_bytes_, [](context::transfer_t from) {
    arrive(from.fctx);
    entered->entry_();
  });
}

void Fiber::switch_to(Fiber& to) {
  left = this;
  entered = &to;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&fake_stack_, to.stack_, to.stack_bytes_);
#endif
  arrive(context::jump_fcontext(to.context_, nullptr).fctx);
}

}  // namespace preceptor::kernels::emulator
