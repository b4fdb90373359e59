// Losses of entries that know nothing of each other, several labels to a row, averaged over the entries that are known.
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/device/reduce.cuh"
#include "kernels/device/tile.cuh"

namespace preceptor::kernels {

// What an entry costs, and the derivative by its first logit.
struct EntryLoss {
  float loss, gradient;
};

// `arrays` logits belong to an entry; Entry is a function of them and of the target.
template <class T, int arrays, class Entry>
struct EntryLosses {
  const T* logits[arrays];  // [rows, labels]
  const float* targets;     // [rows, labels] NaN: unknown, left out; nullptr: all count
  float* loss;              // [rows] weight / known * sum over the row's known entries
  T* d_logits;              // [rows, labels] of the first logits
  int rows, labels;
  float weight;
  Entry entry;
};

constexpr int one_block_entries = 4096;   // with targets that one block takes alone
constexpr int entry_threads = 128;        // of a block elsewhere
constexpr int most_entry_threads = 1024;  // of a block
constexpr int entry_tile = 1024;          // values that a block stages at a time
constexpr int counting_blocks = 128;      // at most, where each must count the known targets

// The number of values that are no NaN, in global or shared memory. All threads of the block get it.
__device__ inline unsigned count_known(const float* values, std::int64_t count) {
  constexpr int pack = Pack<float>::count;
  const std::int64_t packs = aligned16(values) ? count / pack : 0;
  unsigned known = 0;
  for (std::int64_t i = threadIdx.x; i < packs; i += blockDim.x) {
    const Pack<float> four = load16(values + i * pack);
    for (float value : four.value) known += !std::isnan(value);
  }
  for (std::int64_t i = packs * pack + threadIdx.x; i < count; i += blockDim.x) known += !std::isnan(values[i]);
  return reduce_block(known, Sum{}, 0u);
}

// mapping: a block takes tiles of tile_rows neighboring rows, or of a part of one long row: single values over
// threads, then their terms by row over groups of `lanes` lanes; bytes: logits and targets read, d_logits written, all
// in 16-byte pieces; operations: the entry's; hazard: nothing can be scaled before the known targets of all rows are
// counted, and in one launch no block can wait for another: one block alone counts those it has staged, and where there
// are more, each reads all targets, which are in L2 after the first. Terms replace the targets in shared memory,
// gradients the first logits: a thread writes what only it reads, and the tile is filled again only when all is stored.
template <class T, int arrays, class Entry>
__global__ void __launch_bounds__(most_entry_threads)
    entry_rows(const EntryLosses<T, arrays, Entry> a, int lanes, int tile_rows, int tile) {
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x), lane = thread % lanes;
  T* const logits = dynamic_shared<T>();
  const int pitch = tile_values<T>(tile);
  float* const terms = reinterpret_cast<float*>(logits + arrays * pitch);
  float* const sums = terms + tile_values<float>(tile);
  const std::int64_t all = static_cast<std::int64_t>(a.rows) * a.labels;
  unsigned known = static_cast<unsigned>(all);
  if (a.targets && all > tile) known = count_known(a.targets, all);
  bool alike = true;
  for (int i = 0; i < arrays; ++i) alike = alike && same_alignment(a.d_logits, a.logits[i]);
  float scale = 0;

  for (int first_row = static_cast<int>(blockIdx.x) * tile_rows; first_row < a.rows;
       first_row += static_cast<int>(gridDim.x) * tile_rows) {
    const int rows = min(tile_rows, a.rows - first_row), entries = rows * a.labels;
    for (int done = 0; done < entries; done += tile) {
      const std::size_t first = static_cast<std::size_t>(first_row) * a.labels + done;
      const int count = min(tile, entries - done);
      const Placement run(a.logits[0] + first, count, alike);
      const float* const targets = a.targets ? a.targets + first : nullptr;
      const Placement targets_run(targets, count, true);
      for (int i = 0; i < arrays; ++i) stage(logits + i * pitch, a.logits[i] + first, run);
      if (targets) stage(terms, targets, targets_run);
      copy_async_commit();
      copy_async_wait<0>();
      __syncthreads();
      if (a.targets && all <= tile) known = count_known(terms + targets_run.shift, all);
      scale = known > 0 ? a.weight / static_cast<float>(known) : 0;
      for (int i = thread; i < count; i += threads) {
        float& term = terms[targets_run.shift + i];
        const float target = targets ? term : 0;
        float own[arrays];
        for (int j = 0; j < arrays; ++j) own[j] = to_float(logits[j * pitch + run.shift + i]);
        EntryLoss of_entry{0, 0};
        if (!std::isnan(target)) of_entry = a.entry(own, target);
        term = of_entry.loss;
        logits[run.shift + i] = from_float<T>(scale * of_entry.gradient);
      }
      __syncthreads();
      unstage(a.d_logits + first, logits, run);
      for (int next = 0; next < rows; next += threads / lanes) {
        // A row of several tiles is alone in its block: here it is row 0, all of the tile.
        const int row = next + thread / lanes, begin = row * a.labels, end = min(begin + a.labels, count);
        float sum = 0;
        for (int i = begin + lane; i < end; i += lanes) sum += terms[targets_run.shift + i];
        sum = reduce_lanes(sum, Sum{}, lanes);
        if (row < rows && lane == 0) sums[row] = done == 0 ? sum : sums[row] + sum;
      }
      __syncthreads();
    }
    for (int row = thread; row < rows; row += threads) a.loss[first_row + row] = scale * sums[row];
  }
}

template <class T, int arrays, class Entry>
void run_entries(Gpu gpu, const EntryLosses<T, arrays, Entry>& a) {
  const std::int64_t all = static_cast<std::int64_t>(a.rows) * a.labels;
  const bool alone = a.targets && all <= one_block_entries;
  // Enough rows for a value per thread, more when there are many, in whole sectors where a tile has room for that.
  int tile_rows = std::max(1, entry_tile / a.labels);
  if (tile_rows >= aligned_rows<T>) {
    const int fewest = std::max({1, a.rows / blocks_for_all, entry_threads / a.labels});
    tile_rows = static_cast<int>(std::min(steps(fewest, aligned_rows<T>), std::int64_t{tile_rows / aligned_rows<T>})) *
                aligned_rows<T>;
  }
  if (alone) tile_rows = a.rows;
  const int tile = alone ? static_cast<int>(all) : std::min(entry_tile, tile_rows * a.labels);
  const std::int64_t tiles = steps(a.rows, tile_rows);
  const std::int64_t blocks = a.targets ? std::min<std::int64_t>(tiles, counting_blocks) : tiles;
  const int threads =
      alone ? static_cast<int>(std::min<std::int64_t>(steps(all, entry_threads) * entry_threads, most_entry_threads))
            : entry_threads;
  const std::size_t shared =
      arrays * sizeof(T) * tile_values<T>(tile) + sizeof(float) * (tile_values<float>(tile) + tile_rows);
  launch(gpu, entry_rows<T, arrays, Entry>, blocks, threads, shared, a, lanes_for(a.labels), tile_rows, tile);
}

}  // namespace preceptor::kernels
