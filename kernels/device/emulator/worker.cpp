// Scheduling: warps run as far as they can, in the order asked for; barriers and collectives say who is missing.
#include "kernels/device/emulator/worker.h"

#include <bit>
#include <cstring>
#include <utility>

#include "kernels/device/emulator/symbols.h"
#include "kernels/device/error.h"

constinit thread_local uint3 threadIdx{}, blockIdx{};
constinit thread_local dim3 blockDim{}, gridDim{};

namespace preceptor::kernels::emulator {
namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr std::size_t stack_bytes = 256 * 1024;  // red zones around every variable
#else
constexpr std::size_t stack_bytes = 64 * 1024;
#endif

constinit thread_local Worker* running_worker = nullptr;
constinit thread_local bool inside_runtime = false;

// Unwinds the thread that found the error; the others of its block own nothing.
struct Abandoned {};

bool same(const Place& a, const Place& b) {
  return a.line == b.line && a.column == b.column && std::strcmp(a.file, b.file) == 0;
}

uint3 index_of(std::int64_t linear, dim3 extent) {
  return {static_cast<unsigned>(linear % extent.x), static_cast<unsigned>(linear / extent.x % extent.y),
          static_cast<unsigned>(linear / extent.x / extent.y)};
}

unsigned bit(int lane) { return 1u << lane; }

std::string lanes_text(unsigned lanes) {
  std::string text;
  for (int lane = 0; lane < warp_lanes; ++lane)
    if (lanes & bit(lane)) text += (text.empty() ? "" : " ") + std::to_string(lane);
  return text;
}

}  // namespace

bool is_builtin_variable(const void* address) {
  const auto inside = [address](const auto& variable) {
    const auto* first = reinterpret_cast<const char*>(&variable);
    return address >= first && address < first + sizeof variable;
  };
  return inside(threadIdx) || inside(blockIdx) || inside(blockDim) || inside(gridDim);
}

std::string text_of(uint3 index) {
  return "(" + std::to_string(index.x) + "," + std::to_string(index.y) + "," + std::to_string(index.z) + ")";
}
std::string text_of(Place place) { return short_path(place.file) + ":" + std::to_string(place.line); }

Thread::Thread() : Fiber(stack_bytes) {}

Worker& Worker::of_this_thread() {
  thread_local Worker worker;
  return worker;
}
Worker* Worker::in_kernel() { return inside_runtime ? nullptr : running_worker; }

Call::Call() : worker_(running_worker) { inside_runtime = true; }
Call::~Call() { inside_runtime = false; }

void Worker::run_thread() {
  for (;;) {
    try {
      const Grid& grid = *running_worker->grid_;
      inside_runtime = false;
      grid.invoke(grid.parameters);
      Call()->thread_returned();
    } catch (const Abandoned&) {
      running_worker->current_->switch_to(running_worker->host_);
    }
  }
}

void Worker::prepare(const Grid& grid) {
  thread_count_ = static_cast<int>(grid.block.x * grid.block.y * grid.block.z);
  while (static_cast<int>(threads_.size()) < thread_count_) {
    threads_.push_back(std::make_unique<Thread>());
    threads_.back()->linear = static_cast<int>(threads_.size()) - 1;
    if (started_) threads_.back()->start(&run_thread);
  }
  if (!started_)
    for (const auto& thread : threads_) thread->start(&run_thread);
  started_ = true;
  warps_.resize(static_cast<std::size_t>((thread_count_ + warp_lanes - 1) / warp_lanes));
  ready_warps_ = 0;
  for (std::size_t i = 0; i < warps_.size(); ++i) {
    const int lanes = std::min(warp_lanes, thread_count_ - static_cast<int>(i) * warp_lanes);
    Warp& warp = warps_[i];
    warp.existing = warp.ready = lanes == warp_lanes ? ~0u : bit(lanes) - 1;
    warp.returned = 0;
    warp.gatherings.clear();
    ready_warps_ |= 1u << i;
  }
  for (int i = 0; i < thread_count_; ++i) {
    Thread& thread = *threads_[static_cast<std::size_t>(i)];
    thread.index = index_of(i, grid.block);
    thread.open_copies.clear();
    thread.copy_groups.clear();
  }
  returned_ = 0;
  first_returned_ = -1;
  arrived_ = nonzero_ = 0;
  warp_ = 0;
}

void Worker::run_block(const Emulated& gpu, const Grid& grid, std::int64_t block) {
  grid_ = &grid;
  order_ = gpu.order;
  // Never zero, or the generator would stay there.
  random_ = ((gpu.seed + 1) * 0x9E3779B97F4A7C15u + static_cast<std::uint64_t>(block) * 0xD1B54A32D192ED03u) | 1u;
  blockDim = grid.block;
  gridDim = grid.grid;
  blockIdx = index_of(block, grid.grid);
  running_worker = this;
  prepare(grid);
  shared_.begin_block(grid.shared_bytes);
  if (watcher_) watcher_->begin_block(static_cast<std::uint32_t>(block), thread_count_);
  current_ = choose();
  threadIdx = current_->index;
  host_.switch_to(*current_);
  running_worker = nullptr;
  if (!error_.empty()) {
    started_ = false;
    shared_.end_block();
    throw Error(ErrorKind::internal, std::exchange(error_, {}));
  }
  if (watcher_) watcher_->end_block();
  shared_.end_block();
}

int Worker::choose_bit(unsigned set) {
  switch (order_) {
    case ThreadOrder::forward:
      return std::countr_zero(set);
    case ThreadOrder::reverse:
      return 31 - std::countl_zero(set);
    case ThreadOrder::shuffled:
      break;
  }
  random_ ^= random_ << 13;  // Marsaglia's xorshift64
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  for (int skip = static_cast<int>((random_ >> 32) % static_cast<unsigned>(std::popcount(set))); skip > 0; --skip)
    set &= set - 1;
  return std::countr_zero(set);
}

Thread* Worker::choose() {
  if (!warps_[static_cast<std::size_t>(warp_)].ready) {
    if (!ready_warps_) return nullptr;
    warp_ = choose_bit(ready_warps_);
  }
  return threads_[static_cast<std::size_t>(warp_ * warp_lanes +
                                           choose_bit(warps_[static_cast<std::size_t>(warp_)].ready))]
      .get();
}

void Worker::yield() {
  Thread* next = choose();
  Thread* self = current_;
  if (next == self) return;
  if (!next) fail("", "no thread can go on: " + who_waits());
  current_ = next;
  threadIdx = next->index;
  self->switch_to(*next);
}

void Worker::thread_returned() {
  Thread& self = *current_;
  Warp& warp = warps_[static_cast<std::size_t>(warp_)];
  const unsigned lane = bit(self.linear % warp_lanes);
  for (const Gathering& gathering : warp.gatherings)
    if (gathering.mask & lane)
      fail(gathering.place, "this collective waits for lane " + std::to_string(self.linear % warp_lanes) +
                                ", which returned from the kernel");
  if (arrived_ > 0)
    fail(barrier_place_, "this barrier waits for " + name_of(self.linear) + ", which returned from the kernel");
  warp.returned |= lane;
  warp.ready &= ~lane;
  if (!warp.ready) ready_warps_ &= ~(1u << warp_);
  if (returned_++ == 0) first_returned_ = self.linear;
  if (returned_ == thread_count_) {
    self.switch_to(host_);  // comes back with the next block
    return;
  }
  yield();
}

int Worker::barrier(int predicate, Place place) {
  Thread& self = *current_;
  if (returned_ > 0)
    fail(place, "this barrier waits for " + name_of(first_returned_) + ", which returned from the kernel");
  if (arrived_ == 0) {
    barrier_place_ = place;
    barrier_first_ = self.linear;
    nonzero_ = 0;
  } else if (!same(barrier_place_, place)) {
    fail(place, "divergent barriers: " + name_of(barrier_first_) + " waits at the one in " + text_of(barrier_place_));
  }
  nonzero_ += predicate != 0;
  if (++arrived_ < thread_count_) {
    Warp& warp = warps_[static_cast<std::size_t>(warp_)];
    warp.ready &= ~bit(self.linear % warp_lanes);
    if (!warp.ready) ready_warps_ &= ~(1u << warp_);
  } else {
    arrived_ = 0;
    barrier_result_ = nonzero_;
    for (std::size_t i = 0; i < warps_.size(); ++i) {
      warps_[i].ready = warps_[i].existing;
      ready_warps_ |= 1u << i;
    }
    warp_ = choose_bit(ready_warps_);
    if (watcher_) watcher_->barrier();
  }
  yield();
  // No later barrier can have finished: it needs this thread too.
  return barrier_result_;
}

void Worker::collective(unsigned mask, void (*execute)(unsigned, void* const*), void* argument, Place place) {
  Thread& self = *current_;
  const int lane = self.linear % warp_lanes;
  Warp& warp = warps_[static_cast<std::size_t>(warp_)];
  if (!(mask & bit(lane)))
    fail(place, "the mask of this collective names the lanes " + lanes_text(mask) + " but not the calling lane");
  if (mask & ~warp.existing)
    fail(place,
         "the mask of this collective names lanes that the block does not have: " + lanes_text(mask & ~warp.existing));
  if (mask & warp.returned)
    fail(place, "this collective waits for lanes that returned from the kernel: " + lanes_text(mask & warp.returned));
  auto gathering = warp.gatherings.begin();
  for (; gathering != warp.gatherings.end(); ++gathering) {
    if (gathering->mask == mask && same(gathering->place, place)) break;
    // Lanes may meet elsewhere before they come to a collective that others wait at already, but not with those others.
    if (gathering->mask & bit(lane) && gathering->arrived & mask)
      fail(place, "divergent collectives: the lanes " + lanes_text(gathering->arrived) +
                      " of the warp wait at the one in " + text_of(gathering->place));
  }
  if (gathering == warp.gatherings.end()) {
    warp.gatherings.push_back({mask, 0, place, {}});
    gathering = std::prev(warp.gatherings.end());
  }
  gathering->arrived |= bit(lane);
  gathering->argument[lane] = argument;
  if (gathering->arrived == mask) {
    if (execute) execute(mask, gathering->argument);
    warp.gatherings.erase(gathering);
    warp.ready |= mask;
    if (watcher_ && mask == warp.existing) watcher_->warp_synchronized(warp_);
  } else {
    warp.ready &= ~bit(lane);
  }
  ready_warps_ = warp.ready ? ready_warps_ | 1u << warp_ : ready_warps_ & ~(1u << warp_);
  yield();
}

void Worker::copy_async(const PendingCopy& copy) {
  if (watcher_) watcher_->copy_issued(copy);
  current_->open_copies.push_back(copy);
}

void Worker::copy_async_commit() { current_->copy_groups.push_back(std::exchange(current_->open_copies, {})); }

void Worker::copy_async_wait(int groups_in_flight) {
  auto& groups = current_->copy_groups;
  while (static_cast<int>(groups.size()) > groups_in_flight) {
    for (const PendingCopy& copy : groups.front()) {
      if (watcher_) watcher_->copy_delivered(copy);
      std::memcpy(copy.shared, copy.global, copy.bytes);
    }
    groups.erase(groups.begin());
  }
}

void Worker::fail(Place place, const std::string& reason) { fail(text_of(place), reason); }

void Worker::fail(const std::string& where, const std::string& reason) {
  error_ = kernel_name(grid_->kernel) + ": " + (where.empty() ? "" : where + ": ") + "thread " +
           text_of(current_->index) + " of block " + text_of(blockIdx) + ": " + reason;
  if (watcher_) watcher_->abandon_block();
  // Hooks are called from code that the compiler believes cannot throw; there the thread's stack is just forgotten.
  if constexpr (watching) current_->switch_to(host_);
  throw Abandoned{};
}

std::string Worker::name_of(int linear) const {
  return "thread " + text_of(threads_[static_cast<std::size_t>(linear)]->index);
}

std::string Worker::who_waits() const {
  std::string text;
  if (arrived_ > 0)
    text = std::to_string(arrived_) + " of " + std::to_string(thread_count_) + " threads wait at the barrier in " +
           text_of(barrier_place_);
  for (std::size_t i = 0; i < warps_.size(); ++i)
    for (const Gathering& gathering : warps_[i].gatherings)
      text += (text.empty() ? "" : "; ") + ("the lanes " + lanes_text(gathering.arrived)) + " of warp " +
              std::to_string(i) + " wait for the lanes " + lanes_text(gathering.mask & ~gathering.arrived) + " in " +
              text_of(gathering.place);
  if (returned_ > 0)
    text += "; " + std::to_string(returned_) + " threads returned, the first was " + name_of(first_returned_);
  return text;
}

}  // namespace preceptor::kernels::emulator
