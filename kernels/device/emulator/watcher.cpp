// Races by epochs: two accesses of a block are ordered when a barrier, or for lanes of a warp a full-warp collective,
// lies between them; accesses of two blocks only through an atomic that one released and the other acquired.
#include "kernels/device/emulator/watcher.h"

#include <algorithm>

#include "kernels/device/emulator/device_memory.h"
#include "kernels/device/emulator/symbols.h"
#include "kernels/device/emulator/worker.h"

extern "C" char __executable_start, end;  // the program's image, from the linker

namespace preceptor::kernels::emulator {
namespace {

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

void Watcher::begin_grid() {
  global_generation_ = ++generation_;
  atomics_.clear();
}

void Watcher::begin_block(std::uint32_t block, int threads) {
  shared_generation_ = ++generation_;
  block_ = block;
  epoch_ = 1;
  published_before_ = 0;
  warp_epoch_.assign(static_cast<std::size_t>((threads + warp_lanes - 1) / warp_lanes), 1);
  threads_.assign(static_cast<std::size_t>(threads), {});
  acquired_.clear();
  in_flight_.clear();
  counter_.begin_block(threads);
}

void Watcher::barrier() {
  ++epoch_;
  counter_.barrier();
  const bool all_fenced =
      std::none_of(threads_.begin(), threads_.end(), [](const ThreadState& t) { return t.unfenced_writes; });
  if (all_fenced) published_before_ = epoch_;
}

void Watcher::warp_synchronized(int warp) {
  ++warp_epoch_[static_cast<std::size_t>(warp)];
  counter_.synchronized(warp);
}

void Watcher::fence() {
  ThreadState& thread = threads_[static_cast<std::size_t>(worker_.thread().linear)];
  thread.unfenced_writes = false;
  thread.fence_epoch = epoch_;
}

bool Watcher::ordered(const Record& before, std::uint32_t thread) const {
  if (before.block == block_) {
    if (before.thread == thread || before.epoch < epoch_) return true;
    const std::uint32_t warp = thread / warp_lanes;
    return before.thread / warp_lanes == warp && before.warp_epoch < warp_epoch_[warp];
  }
  const auto known = acquired_.find(before.block);
  if (known == acquired_.end()) return false;
  const Acquired& a = known->second;
  if (a.by_thread != thread && a.at_epoch >= epoch_) return false;
  return before.epoch < a.release.before_epoch ||
         (before.thread == a.release.thread && before.epoch <= a.release.thread_epoch);
}

void Watcher::acquire_and_release(const void* address, std::uint32_t thread) {
  Releases& releases = atomics_[address];
  for (const auto& [from, release] : releases) {
    if (from == block_) continue;
    Acquired& a = acquired_.try_emplace(from, Acquired{{}, thread, epoch_}).first->second;
    merge(a.release, release);
    a.by_thread = thread;
    a.at_epoch = epoch_;
  }
  Release own;
  const ThreadState& state = threads_[thread];
  // A fence makes visible what the thread knew of then: its own accesses, and those before the last barrier.
  own.before_epoch = std::max(published_before_, state.fence_epoch);
  if (!state.unfenced_writes) {
    own.thread = thread;
    own.thread_epoch = epoch_;
  }
  merge(releases[block_], own);
  for (const auto& [from, a] : acquired_) merge(releases[from], a.release);
}

void Watcher::copy_issued(const PendingCopy& copy) {
  access(copy.global, copy.bytes, Access::read, copy.code);
  in_flight_.push_back(copy);
}

void Watcher::copy_delivered(const PendingCopy& copy) {
  in_flight_.erase(std::find_if(in_flight_.begin(), in_flight_.end(), [&](const PendingCopy& one) {
    return one.shared == copy.shared && one.global == copy.global;
  }));
  access(copy.shared, copy.bytes, Access::write, copy.code);
}

void Watcher::access(const void* address, std::size_t bytes, Access access, const void* code) {
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
  counter_.access(thread.linear, address, bytes, access, in_shared, code);

  if (in_shared)
    for (const PendingCopy& copy : in_flight_) {
      const auto* target = static_cast<const char*>(copy.shared);
      const auto* first = static_cast<const char*>(address);
      if (first < target + copy.bytes && target < first + bytes)
        worker_.fail(line_of_code(code), text_of_this() + " that a cp.async in " + line_of_code(copy.code) +
                                             " writes and nobody has waited for");
    }

  const auto linear = static_cast<std::uint32_t>(thread.linear);
  if (access == Access::atomic) acquire_and_release(address, linear);
  if (access == Access::write && !in_shared) threads_[linear].unfenced_writes = true;

  Record now{block_, epoch_, warp_epoch_[linear / warp_lanes], code_offset(code), static_cast<std::uint16_t>(linear),
             0,      access};
  const auto conflict = [&](const Record& before) {
    worker_.fail(line_of_code(code), "race: it " + text_of_this() + ", which " + text_of_record(before, block_) +
                                         ", and nothing orders the two");
  };
  const std::uint32_t generation = in_shared ? shared_generation_ : global_generation_;
  std::size_t unwritten = 0, cells = 0;
  shadow_.for_cells(address, bytes, generation, [&](Cell& cell, std::uint8_t part) {
    now.bytes = part;
    ++cells;
    unwritten += (cell.written & part) != part;
    const auto races = [&](const Record& before) {
      return before.bytes & part && !(access == Access::atomic && before.access == Access::atomic) &&
             !ordered(before, linear);
    };
    if (races(cell.write)) conflict(cell.write);
    if (access == Access::read) {
      cell.add_read(now, [&](const Record& before) { return ordered(before, linear); });
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

}  // namespace preceptor::kernels::emulator
