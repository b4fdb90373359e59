// Placed copies on cuda and emulated.
#include "kernels/staged_copy/staged_copy.h"

#include <algorithm>

#include "kernels/device/gpu.h"
#include "kernels/device/load16.cuh"
#include "kernels/device/reduce.cuh"

namespace preceptor::kernels {
namespace {

constexpr int threads = 256;
constexpr std::int64_t most_blocks = 1024;  // about what a large card holds at once
constexpr int thread_bytes = 64;            // four turns, so that reading the table is little beside them

// mapping: all threads of the grid on one segment after the other, 16 bytes a thread and turn where its place allows
// it, else 4, the last 1 to 3 bytes by one thread; bytes: every segment read and written once; operations: none;
// hazard: all blocks read `taken`, so only the last to finish may move it on.
__global__ void __launch_bounds__(threads) copy_segments(StagedSlots* slots, unsigned* ticket) {
  const std::byte* slot = slots->slot[slots->taken & 1];
  const auto* header = reinterpret_cast<const StagedHeader*>(slot);
  const auto* segments = reinterpret_cast<const StagedSegment*>(slot + header->table);
  const std::int64_t count = header->segments;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  const std::int64_t all = static_cast<std::int64_t>(gridDim.x) * threads;
  for (std::int64_t i = 0; i < count; ++i) {
    const StagedSegment segment = segments[i];
    const auto* from = reinterpret_cast<const std::uint32_t*>(slot + segment.offset);
    auto* to = static_cast<std::uint32_t*>(segment.to);
    const std::int64_t words = segment.bytes / 4, in_packs = aligned16(to) ? words / 4 * 4 : 0;
    for (std::int64_t j = 4 * first; j < in_packs; j += 4 * all) store16(to + j, load16(from + j));
    for (std::int64_t j = in_packs + first; j < words; j += all) to[j] = from[j];
    if (first == 0)
      for (std::int64_t j = 4 * words; j < segment.bytes; ++j)
        static_cast<unsigned char*>(segment.to)[j] = reinterpret_cast<const unsigned char*>(from)[j];
  }
  if (last_block(ticket, gridDim.x) && threadIdx.x == 0) slots->taken += 1;
}

// mapping: a value a thread; bytes: the row read and written once; operations: none.
__global__ void __launch_bounds__(threads) copy_row(const CopyToRow a) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i < a.columns) a.to[*a.row * a.columns + i] = a.from[i];
}

}  // namespace

void run_on(Gpu gpu, const StagedCopy& a) {
  const std::int64_t blocks = std::clamp(steps(a.bytes, thread_bytes * threads), std::int64_t{1}, most_blocks);
  launch(gpu, copy_segments, static_cast<unsigned>(blocks), threads, 0, a.slots, gpu.tickets);
}
void run_on(Gpu gpu, const CopyToRow& a) {
  launch(gpu, copy_row, static_cast<unsigned>(steps(a.columns, threads)), threads, 0, a);
}

}  // namespace preceptor::kernels
