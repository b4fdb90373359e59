// Races by epochs: two accesses of a block are ordered when a barrier, or for lanes of a warp a full-warp collective,
// lies between them; accesses of two blocks only through an atomic that one released and the other acquired.
#include "kernels/device/emulator/watcher.h"

#ifdef PRECEPTOR_EMULATOR_WATCH

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "kernels/device/emulator/access_counter.h"
#include "kernels/device/emulator/device_memory.h"
#include "kernels/device/emulator/shadow.h"
#include "kernels/device/emulator/symbols.h"
#include "kernels/device/emulator/worker.h"

extern "C" char __executable_start, end;  // the program's image, from the linker

namespace preceptor::kernels::emulator {
namespace {

// The accesses that one block made visible to whoever acquires it: everything before an epoch, and one thread's own
// accesses up to another. Epochs count the barriers of a block.
struct Release {
  std::uint32_t before_epoch = 0;
  std::uint32_t thread = ~0u, thread_epoch = 0;
};

struct Acquired {
  Release release;
  std::uint32_t by_thread, at_epoch;  // the others of the block know of it after the next barrier
};

struct ThreadState {
  bool unfenced_writes = false;  // to global memory
  std::uint32_t fence_epoch = 0;
};

using Releases = std::unordered_map<std::uint32_t, Release>;  // by block

void merge(Release& into, const Release& from) {
  into.before_epoch = std::max(into.before_epoch, from.before_epoch);
  if (from.thread != ~0u) {
    into.thread = from.thread;
    into.thread_epoch = from.thread_epoch;
  }
}

const char* verb(Access access) {
  return access == Access::read ? "reads" : access == Access::write ? "writes" : "updates";
}

std::string text_of_access(Access access, std::size_t bytes, bool in_shared) {
  return std::string(verb(access)) + " " + std::to_string(bytes) + " bytes of " + (in_shared ? "shared" : "global") +
         " memory";
}

// An earlier access, seen from a thread of this block.
std::string text_of_record(const Record& record, std::uint32_t block) {
  const uint3 thread{record.thread % blockDim.x, record.thread / blockDim.x % blockDim.y,
                     record.thread / blockDim.x / blockDim.y};
  const std::string which = record.block == block ? "the same block" : "block number " + std::to_string(record.block);
  return "thread " + text_of(thread) + " of " + which + " " + verb(record.access) + " in " +
         line_of_code(code_at(record.code));
}

// Memory of the host that kernels may read: the program's image, parameters and built-in variables.
bool is_constant(Worker& worker, const void* address) {
  const auto* first = static_cast<const char*>(address);
  const auto* parameters = static_cast<const char*>(worker.grid().parameters);
  return (first >= &__executable_start && first < &end) ||
         (first >= parameters && first < parameters + worker.grid().parameter_bytes) || is_builtin_variable(address);
}

}  // namespace

struct Watcher::State {
  Shadow shadow;
  AccessCounter counter;
  std::uint32_t generation =
      0;  // epochs of shadow cells: one for the global memory of a grid, one for each block's shared memory
  std::uint32_t global_generation = 0, shared_generation = 0;

  std::uint32_t block = 0, epoch = 0;
  std::uint32_t published_before = 0;  // epoch before which all global writes of the block are fenced
  std::vector<std::uint32_t> warp_epoch;
  std::vector<ThreadState> threads;
  std::unordered_map<std::uint32_t, Acquired> acquired;  // by block
  std::vector<PendingCopy> in_flight;
  std::unordered_map<const void*, Releases> atomics;  // by address, of the grid

  bool ordered(const Record& before, std::uint32_t thread) const;
  void acquire_and_release(const void* address, std::uint32_t thread);
};

Watcher::Watcher(Worker& worker) : worker_(worker), state_(std::make_unique<State>()) {}
Watcher::~Watcher() = default;

void Watcher::begin_grid() {
  state_->global_generation = ++state_->generation;
  state_->atomics.clear();
}

void Watcher::begin_block(std::uint32_t block, int threads) {
  State& s = *state_;
  s.shared_generation = ++s.generation;
  s.block = block;
  s.epoch = 1;
  s.published_before = 0;
  s.warp_epoch.assign(static_cast<std::size_t>((threads + warp_lanes - 1) / warp_lanes), 1);
  s.threads.assign(static_cast<std::size_t>(threads), {});
  s.acquired.clear();
  s.in_flight.clear();
  s.counter.begin_block(threads);
}

void Watcher::end_block() { state_->counter.end_block(); }
void Watcher::abandon_block() { state_->counter.abandon_block(); }

void Watcher::barrier() {
  State& s = *state_;
  ++s.epoch;
  s.counter.barrier();
  const bool all_fenced =
      std::none_of(s.threads.begin(), s.threads.end(), [](const ThreadState& t) { return t.unfenced_writes; });
  if (all_fenced) s.published_before = s.epoch;
}

void Watcher::warp_synchronized(int warp) {
  ++state_->warp_epoch[static_cast<std::size_t>(warp)];
  state_->counter.synchronized(warp);
}

void Watcher::fence() {
  ThreadState& thread = state_->threads[static_cast<std::size_t>(worker_.thread().linear)];
  thread.unfenced_writes = false;
  thread.fence_epoch = state_->epoch;
}

bool Watcher::State::ordered(const Record& before, std::uint32_t thread) const {
  if (before.block == block) {
    if (before.thread == thread || before.epoch < epoch) return true;
    const std::uint32_t warp = thread / warp_lanes;
    return before.thread / warp_lanes == warp && before.warp_epoch < warp_epoch[warp];
  }
  const auto known = acquired.find(before.block);
  if (known == acquired.end()) return false;
  const Acquired& a = known->second;
  if (a.by_thread != thread && a.at_epoch >= epoch) return false;
  return before.epoch < a.release.before_epoch ||
         (before.thread == a.release.thread && before.epoch <= a.release.thread_epoch);
}

void Watcher::State::acquire_and_release(const void* address, std::uint32_t thread) {
  Releases& releases = atomics[address];
  for (const auto& [from, release] : releases) {
    if (from == block) continue;
    Acquired& a = acquired.try_emplace(from, Acquired{{}, thread, epoch}).first->second;
    merge(a.release, release);
    a.by_thread = thread;
    a.at_epoch = epoch;
  }
  Release own;
  const ThreadState& state = threads[thread];
  // A fence makes visible what the thread knew of then: its own accesses, and those before the last barrier.
  own.before_epoch = std::max(published_before, state.fence_epoch);
  if (!state.unfenced_writes) {
    own.thread = thread;
    own.thread_epoch = epoch;
  }
  merge(releases[block], own);
  for (const auto& [from, a] : acquired) merge(releases[from], a.release);
}

void Watcher::copy_issued(const PendingCopy& copy) {
  access(copy.global, copy.bytes, Access::read, copy.code);
  state_->in_flight.push_back(copy);
}

void Watcher::copy_delivered(const PendingCopy& copy) {
  auto& in_flight = state_->in_flight;
  in_flight.erase(std::find_if(in_flight.begin(), in_flight.end(), [&](const PendingCopy& one) {
    return one.shared == copy.shared && one.global == copy.global;
  }));
  access(copy.shared, copy.bytes, Access::write, copy.code);
}

void Watcher::access(const void* address, std::size_t bytes, Access access, const void* code) {
  State& s = *state_;
  const Thread& thread = worker_.thread();
  if (thread.owns(address)) return;
  const bool in_shared = worker_.shared().in_arena(address);
  const auto text_of_this = [&] { return text_of_access(access, bytes, in_shared); };
  if (in_shared) {
    if (!worker_.shared().in_an_array(address, bytes))
      worker_.fail(line_of_code(code), "out of bounds: " + text_of_this() + " past the end of an array");
  } else if (!is_device_memory(address, bytes)) {
    if (access == Access::read && is_constant(worker_, address)) return;
    worker_.fail(line_of_code(code), text_of_this() + " that is not on the device");
  }
  s.counter.access(thread.linear, address, bytes, access, in_shared, code);

  if (in_shared)
    for (const PendingCopy& copy : s.in_flight) {
      const auto* target = static_cast<const char*>(copy.shared);
      const auto* first = static_cast<const char*>(address);
      if (first < target + copy.bytes && target < first + bytes)
        worker_.fail(line_of_code(code), text_of_this() + " that a cp.async in " + line_of_code(copy.code) +
                                             " writes and nobody has waited for");
    }

  const auto linear = static_cast<std::uint32_t>(thread.linear);
  if (access == Access::atomic) s.acquire_and_release(address, linear);
  if (access == Access::write && !in_shared) s.threads[linear].unfenced_writes = true;

  Record now{s.block, s.epoch, s.warp_epoch[linear / warp_lanes], code_offset(code), static_cast<std::uint16_t>(linear),
             0,       access};
  const auto conflict = [&](const Record& before) {
    worker_.fail(line_of_code(code), "race: it " + text_of_this() + ", which " + text_of_record(before, s.block) +
                                         ", and nothing orders the two");
  };
  const std::uint32_t generation = in_shared ? s.shared_generation : s.global_generation;
  std::size_t unwritten = 0, cells = 0;
  s.shadow.for_cells(address, bytes, generation, [&](Cell& cell, std::uint8_t part) {
    now.bytes = part;
    ++cells;
    unwritten += (cell.written & part) != part;
    const auto races = [&](const Record& before) {
      return before.bytes & part && !(access == Access::atomic && before.access == Access::atomic) &&
             !s.ordered(before, linear);
    };
    if (races(cell.write)) conflict(cell.write);
    if (access == Access::read) {
      cell.add_read(now, [&](const Record& before) { return s.ordered(before, linear); });
      return;
    }
    for (const Record& read : cell.read)
      if (races(read)) conflict(read);
    cell.write = now;
    cell.written |= part;
  });
  // A copy of a whole structure may read padding.
  if (in_shared && access != Access::write && (bytes <= 16 ? unwritten > 0 : unwritten == cells))
    worker_.fail(line_of_code(code), text_of_this() + " that no thread has written");
}

void watch(const void* address, std::size_t bytes, Access access, const void* code) {
  if (Worker::in_kernel()) Call()->watcher().access(address, bytes, access, code);
}

bool counters_available() { return true; }
void start_counting() { AccessCounter::start(); }
Counters stop_counting() { return AccessCounter::stop(); }

}  // namespace preceptor::kernels::emulator

#else

#include "kernels/device/emulator/counters.h"

namespace preceptor::kernels::emulator {

struct Watcher::State {};
Watcher::Watcher(Worker& worker) : worker_(worker) {}
Watcher::~Watcher() = default;
void Watcher::begin_grid() {}
void Watcher::begin_block(std::uint32_t, int) {}
void Watcher::end_block() {}
void Watcher::abandon_block() {}
void Watcher::barrier() {}
void Watcher::warp_synchronized(int) {}
void Watcher::fence() {}
void Watcher::copy_issued(const PendingCopy&) {}
void Watcher::copy_delivered(const PendingCopy&) {}
void Watcher::access(const void*, std::size_t, Access, const void*) {}

bool counters_available() { return false; }
void start_counting() {}
Counters stop_counting() { return {}; }

}  // namespace preceptor::kernels::emulator

#endif
