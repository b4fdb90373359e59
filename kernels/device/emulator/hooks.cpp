// Our own answers to the calls that g++ -fsanitize=thread puts before every access; libtsan is not linked. Outside of
// kernels they return at once: inline functions of headers are compiled into kernel files too.
#include "kernels/device/emulator/worker.h"

namespace preceptor::kernels::emulator {

void watch(const void* address, std::size_t bytes, Access access, const void* code) {
  if (Worker::in_kernel()) Call()->watcher()->access(address, bytes, access, code);
}

}  // namespace preceptor::kernels::emulator

using preceptor::kernels::emulator::Access;
using preceptor::kernels::emulator::watch;

#define HOOK(name, bytes, access) \
  void name(void* address) { watch(address, bytes, Access::access, __builtin_return_address(0)); }

extern "C" {
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
HOOK(__tsan_read1, 1, read)
HOOK(__tsan_read2, 2, read)
HOOK(__tsan_read4, 4, read)
HOOK(__tsan_read8, 8, read)
HOOK(__tsan_read16, 16, read)
HOOK(__tsan_write1, 1, write)
HOOK(__tsan_write2, 2, write)
HOOK(__tsan_write4, 4, write)
HOOK(__tsan_write8, 8, write)
HOOK(__tsan_write16, 16, write)
HOOK(__tsan_unaligned_read2, 2, read)
HOOK(__tsan_unaligned_read4, 4, read)
HOOK(__tsan_unaligned_read8, 8, read)
HOOK(__tsan_unaligned_read16, 16, read)
HOOK(__tsan_unaligned_write2, 2, write)
HOOK(__tsan_unaligned_write4, 4, write)
HOOK(__tsan_unaligned_write8, 8, write)
HOOK(__tsan_unaligned_write16, 16, write)
void __tsan_read_range(void* address, unsigned long bytes) {
  watch(address, bytes, Access::read, __builtin_return_address(0));
}
void __tsan_write_range(void* address, unsigned long bytes) {
  watch(address, bytes, Access::write, __builtin_return_address(0));
}

// Atomics of the standard library's inline functions, which host code in kernel files and tests uses; a kernel's own
// are told of by model.h.
#define ATOMIC_HOOKS(bits, type)                                                                                \
  type __tsan_atomic##bits##_load(const volatile type* p, int) { return __atomic_load_n(p, __ATOMIC_SEQ_CST); } \
  void __tsan_atomic##bits##_store(volatile type* p, type value, int) {                                         \
    __atomic_store_n(p, value, __ATOMIC_SEQ_CST);                                                               \
  }                                                                                                             \
  type __tsan_atomic##bits##_fetch_add(volatile type* p, type value, int) {                                     \
    return __atomic_fetch_add(p, value, __ATOMIC_SEQ_CST);                                                      \
  }                                                                                                             \
  type __tsan_atomic##bits##_exchange(volatile type* p, type value, int) {                                      \
    return __atomic_exchange_n(p, value, __ATOMIC_SEQ_CST);                                                     \
  }
ATOMIC_HOOKS(8, char)
ATOMIC_HOOKS(32, int)
ATOMIC_HOOKS(64, long)
}
