// Runs the blocks of a grid on host threads, in the order asked for.
#include <omp.h>

#include <algorithm>
#include <exception>
#include <numeric>
#include <random>
#include <vector>

#include "kernels/device/emulator/symbols.h"
#include "kernels/device/emulator/worker.h"
#include "kernels/device/error.h"

namespace preceptor::kernels::emulator {
namespace {

// Limits of compute capability 8.0 to 10.0 (CUDA programming guide, table of technical specifications).
void check_limits(const Grid& grid) {
  const auto refuse = [&](const std::string& reason) {
    throw Error(ErrorKind::internal, kernel_name(grid.kernel) + ": launch refused: " + reason);
  };
  const auto threads = std::uint64_t{grid.block.x} * grid.block.y * grid.block.z;
  if (threads == 0 || threads > most_threads || grid.block.z > 64)
    refuse("a block of " + std::to_string(grid.block.x) + "x" + std::to_string(grid.block.y) + "x" +
           std::to_string(grid.block.z) + " threads; 1 to 1024 are possible, 64 in z");
  if (grid.grid.x == 0 || grid.grid.x > 0x7fffffffu || grid.grid.y == 0 || grid.grid.y > 65535 || grid.grid.z == 0 ||
      grid.grid.z > 65535)
    refuse("a grid of " + std::to_string(grid.grid.x) + "x" + std::to_string(grid.grid.y) + "x" +
           std::to_string(grid.grid.z) + " blocks; at most 65535 are possible in y and z");
  if (grid.shared_bytes > most_shared)
    refuse(std::to_string(grid.shared_bytes) + " bytes of shared memory; a block has " + std::to_string(most_shared));
}

std::vector<std::int64_t> block_order(std::int64_t count, const Emulated& gpu) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  if (gpu.order == ThreadOrder::reverse) std::reverse(order.begin(), order.end());
  if (gpu.order == ThreadOrder::shuffled) std::shuffle(order.begin(), order.end(), std::mt19937_64(gpu.seed));
  return order;
}

}  // namespace

void run_grid(const Emulated& gpu, const Grid& grid) {
  check_limits(grid);
  const auto blocks = static_cast<std::int64_t>(grid.grid.x) * grid.grid.y * grid.grid.z;
  const std::vector<std::int64_t> order = block_order(blocks, gpu);
  // The watcher's shadow memory belongs to one host thread.
  const int threads = watching ? 1 : static_cast<int>(std::min<std::int64_t>(gpu.threads, blocks));
  if (watching) Worker::of_this_thread().watcher()->begin_grid();
  std::exception_ptr failure;
#pragma omp parallel num_threads(threads)
  {
    Worker& worker = Worker::of_this_thread();
#pragma omp for schedule(dynamic)
    for (std::int64_t i = 0; i < blocks; ++i) {
      bool failed = false;
#pragma omp critical(emulator_failure)
      failed = failure != nullptr;
      if (failed) continue;
      try {
        worker.run_block(gpu, grid, order[static_cast<std::size_t>(i)]);
      } catch (...) {
#pragma omp critical(emulator_failure)
        if (!failure) failure = std::current_exception();
      }
    }
  }
  if (failure) std::rethrow_exception(failure);
}

void* static_shared(const void* key, std::size_t bytes) {
  const Call worker;
  void* memory = worker->shared().array(key, bytes);
  if (!memory)
    worker->fail("", "shared memory is used up: " + std::to_string(worker->shared().static_bytes()) + " static and " +
                         std::to_string(worker->grid().shared_bytes) + " dynamic bytes; a block has " +
                         std::to_string(most_static_shared) + " static and " + std::to_string(most_shared) + " in all");
  return memory;
}

void* dynamic_shared_memory() { return Call()->shared().dynamic(); }

int barrier(int predicate, Place place) { return Call()->barrier(predicate, place); }

void collective(unsigned mask, void (*execute)(unsigned, void* const*), void* argument, Place place) {
  Call()->collective(mask, execute, argument, place);
}

int lane_of_this_thread() { return Call()->thread().linear % warp_lanes; }

void misaligned(const void* address, std::size_t bytes, Place place) {
  Call()->fail(place, "misaligned: an access of " + std::to_string(bytes) + " bytes at " +
                          std::to_string(reinterpret_cast<std::uintptr_t>(address) % bytes) +
                          " bytes past a multiple of that");
}

void fence() {
  if (watching) Call()->watcher()->fence();
}

void copy_async(void* shared, const void* global, std::size_t bytes, Place place, const void* code) {
  require_aligned(shared, bytes, place);
  require_aligned(global, bytes, place);
  Call()->copy_async({shared, global, bytes, code});
}
void copy_async_commit() { Call()->copy_async_commit(); }
void copy_async_wait(int groups_in_flight) { Call()->copy_async_wait(groups_in_flight); }

}  // namespace preceptor::kernels::emulator
