// One host thread that runs blocks: a fiber per CUDA thread, the order in which they run, and what they wait for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/device/emulator/fiber.h"
#include "kernels/device/emulator/runtime.h"
#include "kernels/device/emulator/shared_memory.h"
#include "kernels/device/emulator/watcher.h"

namespace preceptor::kernels::emulator {

constexpr int warp_lanes = 32;
constexpr int most_threads = 1024;

#ifdef PRECEPTOR_EMULATOR_WATCH
constexpr bool watching = true;
#else
constexpr bool watching = false;
#endif

struct Thread : Fiber {
  Thread();
  uint3 index{};  // threadIdx
  int linear = 0;
  std::vector<PendingCopy> open_copies;               // not yet in a group
  std::vector<std::vector<PendingCopy>> copy_groups;  // oldest first
};

// A collective that waits for the rest of its lanes.
struct Gathering {
  unsigned mask, arrived;
  Place place;
  void* argument[warp_lanes];
};

struct Warp {
  unsigned existing = 0, returned = 0, ready = 0;  // lanes
  std::vector<Gathering> gatherings;
};

class Worker {
 public:
  static Worker& of_this_thread();
  // The worker whose kernel code is being run by this host thread; nullptr outside of kernels and in the runtime
  // itself, whose strings and containers may be instances that were compiled, with hooks, in a kernel file.
  static Worker* in_kernel();

  // Runs one block. Throws Error for what a card would not forgive; the block is then abandoned.
  void run_block(const Emulated& gpu, const Grid& grid, std::int64_t block);

  int barrier(int predicate, Place place);
  void collective(unsigned mask, void (*execute)(unsigned, void* const*), void* argument, Place place);
  void copy_async(const PendingCopy& copy);
  void copy_async_commit();
  void copy_async_wait(int groups_in_flight);

  const Thread& thread() const { return *current_; }
  const Grid& grid() const { return *grid_; }
  SharedMemory& shared() { return shared_; }
  Watcher* watcher() { return watcher_.get(); }  // nullptr unless watching

  // Ends the block with an error at a place of the current thread.
  [[noreturn]] void fail(const std::string& where, const std::string& reason);
  [[noreturn]] void fail(Place place, const std::string& reason);

 private:
  static void run_thread();  // entry of every fiber
  void thread_returned();
  void prepare(const Grid& grid);
  void yield();      // to the next thread that can run; comes back when this one can again
  Thread* choose();  // nullptr: none can run
  int choose_bit(unsigned set);
  std::string who_waits() const;
  std::string name_of(int linear) const;

  Fiber host_;
  std::vector<std::unique_ptr<Thread>> threads_;
  bool started_ = false;  // the fibers wait for a block
  SharedMemory shared_;
  std::unique_ptr<Watcher> watcher_ = watching ? std::make_unique<Watcher>(*this) : nullptr;

  const Grid* grid_ = nullptr;
  ThreadOrder order_ = ThreadOrder::forward;
  std::uint64_t random_ = 0;
  int thread_count_ = 0, returned_ = 0, first_returned_ = -1;
  std::vector<Warp> warps_;
  unsigned ready_warps_ = 0;
  int warp_ = 0;  // the one that runs now
  Thread* current_ = nullptr;

  int arrived_ = 0, nonzero_ = 0, barrier_result_ = 0;
  Place barrier_place_;
  int barrier_first_ = 0;  // thread that came first

  std::string error_;
};

// A call from kernel code into the runtime; the calling thread is not in its kernel until this ends.
class Call {
 public:
  Call();
  ~Call();
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  Worker* operator->() const { return worker_; }

 private:
  Worker* worker_;
};

bool is_builtin_variable(const void* address);  // threadIdx, blockIdx, blockDim or gridDim
std::string text_of(uint3 index);
std::string text_of(Place place);

}  // namespace preceptor::kernels::emulator
