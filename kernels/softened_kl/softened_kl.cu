// Softened KL on cuda and on the emulated device: short rows share a block, a long row has one. README.md has the
// derivation.
#include "kernels/softened_kl/softened_kl.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "kernels/device/gpu.h"
#include "kernels/device/reduce.cuh"
#include "kernels/softened_kl/long_row.cuh"
#include "kernels/softened_kl/row.cuh"
#include "kernels/softened_kl/tile.cuh"

namespace preceptor::kernels {
namespace {

constexpr int short_row_bytes = 1280;  // rows up to here share a block; longer ones lose little at their ends' sectors
constexpr int short_threads = 128;     // of a block of short rows, or more: see run_short_rows
constexpr int most_short_threads = 512;
constexpr int short_tile_bytes = 12 * 1024;  // beyond one round of rows
constexpr int blocks_for_all = 1024;         // before blocks get more than one round of rows
constexpr int longest_block = 1024;          // threads
constexpr int one_block_entries = 4096;      // of the binary form with targets that one block takes alone
constexpr int binary_threads = 128;          // of its blocks elsewhere
constexpr int binary_tile = 1024;            // values they stage at a time
constexpr int counting_blocks = 128;         // at most, where each must count the known targets

// The label of a row: a class, or -1.
template <class T, bool hard>
__device__ int label_of(float stored) {
  return !hard || std::isnan(stored) ? -1 : static_cast<int>(stored);
}

// mapping: a block takes tile_rows neighbouring rows, a group of `lanes` neighbouring lanes one row at a time: the
// smallest power of two that holds all classes, 32 at most; bytes: student and teacher read once, d_student written,
// all in 16-byte pieces of the whole tile, whatever the number of classes; operations: about 45 per class, of them 4
// exponentials, and 10 (2) more with labels; hazard: the gradient replaces the student's logits in the tile: a lane
// writes what only it reads. Shared memory has no conflicts: up to 32 classes the rows of a warp are 32 words in a row,
// or fewer.
template <class T, bool hard>
__global__ void __launch_bounds__(most_short_threads) short_rows(const SoftenedKl<T> a, int lanes, int tile_rows) {
  const int first_row = static_cast<int>(blockIdx.x) * tile_rows, rows = min(tile_rows, a.rows - first_row);
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x);
  const std::size_t first = static_cast<std::size_t>(first_row) * a.classes;
  T* const student = dynamic_shared<T>();
  T* const teacher = student + tile_values<T>(tile_rows * a.classes);
  float* const temperature = reinterpret_cast<float*>(teacher + tile_values<T>(tile_rows * a.classes));
  float* const label = temperature + tile_rows;
  float* const loss = label + tile_rows;

  const Placement run(a.student + first, rows * a.classes, same_alignment(a.student, a.teacher, a.d_student));
  stage(student, a.student + first, teacher, a.teacher + first, run);
  copy_async_commit();
  for (int row = thread; row < rows; row += threads) {
    temperature[row] = a.row_temperature ? a.row_temperature[first_row + row] : a.temperature;
    if (hard) label[row] = a.labels[first_row + row];
  }
  copy_async_wait<0>();
  __syncthreads();

  const int lane = thread % lanes;
  for (int next = 0; next < rows; next += threads / lanes) {
    const int row = next + thread / lanes;
    // Lanes without a row take part in the sums with nothing.
    const bool present = row < rows;
    const int classes = present ? a.classes : 0, begin = run.shift + row * a.classes;
    const Softening softening(present ? temperature[row] : 1.0f);
    const int labelled = label_of<T, hard>(hard && present ? label[row] : 0);
    Maxima maxima;
    for (int i = lane; i < classes; i += lanes) maxima.add(to_float(student[begin + i]), to_float(teacher[begin + i]));
    maxima.student = reduce_lanes(maxima.student, Maximum{}, lanes);
    maxima.teacher = reduce_lanes(maxima.teacher, Maximum{}, lanes);
    Sums<hard> sums;
    for (int i = lane; i < classes; i += lanes)
      sums.add(to_float(student[begin + i]), to_float(teacher[begin + i]), i == labelled, maxima, softening);
    sums.student = reduce_lanes(sums.student, Sum{}, lanes);
    sums.teacher = reduce_lanes(sums.teacher, Sum{}, lanes);
    if (hard) {
      sums.others = reduce_lanes(sums.others, Sum{}, lanes);
      sums.label = reduce_lanes(sums.label, Sum{}, lanes);
    }
    const Row<hard> statistics(softening, maxima, sums, labelled >= 0, a.scale, a.hard_scale);
    float divergence = 0;
    for (int i = lane; i < classes; i += lanes) {
      const float s = to_float(student[begin + i]), t = to_float(teacher[begin + i]);
      student[begin + i] = from_float<T>(statistics.gradient(s, t, i == labelled, divergence));
    }
    divergence = reduce_lanes(divergence, Sum{}, lanes);
    if (lane == 0) loss[row] = statistics.loss(divergence);  // rows behind the last have a place too
  }
  __syncthreads();
  unstage(a.d_student + first, student, run);
  for (int row = thread; row < rows; row += threads) a.loss[first_row + row] = loss[row];
}

// `combine` of several values at once over the block: one exchange through shared memory for all. With the same
// template arguments to be called once in a kernel: no barrier guards the memory against a second call.
template <int count, class Combine>
__device__ void combine_block(float (&value)[count], const Combine& combine, float neutral) {
  SHARED(float, by_warp, [count][warp_size]);
  const int lane = static_cast<int>(threadIdx.x) % warp_size, warp = static_cast<int>(threadIdx.x) / warp_size;
  for (int i = 0; i < count; ++i) {
    value[i] = reduce_lanes(value[i], combine);
    if (lane == 0) by_warp[i][warp] = value[i];
  }
  __syncthreads();
  const bool present = lane < static_cast<int>(blockDim.x) / warp_size;
  for (int i = 0; i < count; ++i) value[i] = reduce_lanes(present ? by_warp[i][lane] : neutral, combine);
}

// mapping: a block takes a row, each thread every blockDim-th piece of 16 bytes; bytes: student and teacher read once
// as far as the row fits on chip, twice behind it, d_student written; operations: as above, and 2 exponentials per
// piece (3 with labels) for the maximum that moves; hazard: sums of exponentials relative to each thread's own maximum
// must be brought to the row's before they are added.
template <class T, bool hard>
__global__ void __launch_bounds__(longest_block) long_rows(const SoftenedKl<T> a, int resident_most) {
  SHARED(float, of_row, [2]);
  const std::size_t offset = static_cast<std::size_t>(blockIdx.x) * a.classes;
  const LongRow<T> row(a.student + offset, a.teacher + offset, a.d_student + offset, a.classes, resident_most);
  // Read once, and not by every warp.
  if (threadIdx.x == 0) {
    of_row[0] = a.row_temperature ? a.row_temperature[blockIdx.x] : a.temperature;
    of_row[1] = hard ? a.labels[blockIdx.x] : 0.0f;
  }
  __syncthreads();
  const Softening softening(of_row[0]);
  const int label = label_of<T, hard>(of_row[1]);

  OnlineSums<hard> online;
  row.for_each([&](int first, const auto& s, const auto& t) { online.add(s, t, label - first, softening); });
  float maxima[2] = {online.maxima.student, online.maxima.teacher};
  combine_block(maxima, Maximum{}, no_logit);
  online.change_maxima({maxima[0], maxima[1]}, softening);
  const Sums<hard>& own = online.sums;
  if constexpr (hard) {
    float sums[4] = {own.student, own.teacher, own.others, own.label};
    combine_block(sums, Sum{}, 0.0f);
    online.sums = {sums[0], sums[1], sums[2], sums[3]};
  } else {
    float sums[2] = {own.student, own.teacher};
    combine_block(sums, Sum{}, 0.0f);
    online.sums = {sums[0], sums[1]};
  }

  const Row<hard> statistics(softening, online.maxima, online.sums, label >= 0, a.scale, a.hard_scale);
  float divergence[1] = {0};
  row.for_each([&](int first, const auto& s, const auto& t) {
    constexpr int count = static_cast<int>(sizeof s / sizeof(float));
    T gradient[count];
    for (int i = 0; i < count; ++i)
      gradient[i] = from_float<T>(statistics.gradient(s[i], t[i], first + i == label, divergence[0]));
    row.store(a.d_student + offset + first, gradient);
  });
  combine_block(divergence, Sum{}, 0.0f);
  if (threadIdx.x == 0) a.loss[blockIdx.x] = statistics.loss(divergence[0]);
}

// The number of targets that are no NaN, in global or shared memory. All threads of the block get it.
__device__ unsigned count_known(const float* targets, std::int64_t entries) {
  constexpr int pack = Pack<float>::count;
  const std::int64_t packs = aligned16(targets) ? entries / pack : 0;
  unsigned known = 0;
  for (std::int64_t i = threadIdx.x; i < packs; i += blockDim.x) {
    const Pack<float> four = load16(targets + i * pack);
    for (float target : four.value) known += !std::isnan(target);
  }
  for (std::int64_t i = packs * pack + threadIdx.x; i < entries; i += blockDim.x) known += !std::isnan(targets[i]);
  return reduce_block(known, Sum{}, 0u);
}

// mapping: a block takes tiles of tile_rows neighbouring rows, or of a part of one long row: single values over
// threads, then their terms by row over groups of `lanes` lanes; bytes: student, teacher and targets read, d_student
// written, all in 16-byte pieces; operations: about 60 per entry; hazard: nothing can be scaled before the known
// targets of all rows are counted, and in one launch no block can wait for another: one block alone counts those it has
// staged, and where there are more, each reads all targets, which are in L2 after the first. Terms replace the targets
// in shared memory, gradients the student's logits: a thread writes what only it reads, and the tile is filled again
// only when all is stored.
template <class T>
__global__ void __launch_bounds__(longest_block)
    binary_rows(const SoftenedBinaryKl<T> a, int lanes, int tile_rows, int tile) {
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x), lane = thread % lanes;
  T* const student = dynamic_shared<T>();
  T* const teacher = student + tile_values<T>(tile);
  float* const terms = reinterpret_cast<float*>(teacher + tile_values<T>(tile));
  float* const sums = terms + tile_values<float>(tile);
  const std::int64_t all = static_cast<std::int64_t>(a.rows) * a.labels;
  unsigned known = static_cast<unsigned>(all);
  if (a.targets && all > tile) known = count_known(a.targets, all);
  const Softening softening(a.temperature);
  float scale = 0;

  for (int first_row = static_cast<int>(blockIdx.x) * tile_rows; first_row < a.rows;
       first_row += static_cast<int>(gridDim.x) * tile_rows) {
    const int rows = min(tile_rows, a.rows - first_row), entries = rows * a.labels;
    for (int done = 0; done < entries; done += tile) {
      const std::size_t first = static_cast<std::size_t>(first_row) * a.labels + done;
      const int count = min(tile, entries - done);
      const Placement run(a.student + first, count, same_alignment(a.student, a.teacher, a.d_student));
      const float* const targets = a.targets ? a.targets + first : nullptr;
      const Placement targets_run(targets, count, true);
      stage(student, a.student + first, teacher, a.teacher + first, run);
      if (targets) stage(terms, targets, targets_run);
      copy_async_commit();
      copy_async_wait<0>();
      __syncthreads();
      if (a.targets && all <= tile) known = count_known(terms + targets_run.shift, all);
      scale = known > 0 ? a.weight / static_cast<float>(known) : 0;
      for (int i = thread; i < count; i += threads) {
        float& term = terms[targets_run.shift + i];
        T& s = student[run.shift + i];
        Term of_entry{0, 0};
        if (!targets || !std::isnan(term))
          of_entry = binary_term(to_float(s), to_float(teacher[run.shift + i]), softening);
        term = of_entry.divergence;
        s = from_float<T>(scale * a.temperature * of_entry.gradient);
      }
      __syncthreads();
      unstage(a.d_student + first, student, run);
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
    for (int row = thread; row < rows; row += threads)
      a.loss[first_row + row] = scale * a.temperature * a.temperature * sums[row];
  }
}

// Lanes that share a row: the smallest power of two that holds its values, at most a warp.
int lanes_for(int columns) {
  return static_cast<int>(std::bit_ceil(static_cast<unsigned>(std::min(columns, warp_size))));
}

// Rows of which a multiple is a whole number of sectors, however many columns they have.
template <class T>
constexpr int aligned_rows = sector_bytes / static_cast<int>(sizeof(T));

template <class T, bool hard>
void run_short_rows(Gpu gpu, const SoftenedKl<T>& a) {
  const int lanes = lanes_for(a.classes);
  const int threads = std::clamp(lanes * aligned_rows<T>, short_threads, most_short_threads);
  const int round = threads / lanes;  // rows at a time
  const int row_bytes = 2 * a.classes * static_cast<int>(sizeof(T)) + 3 * static_cast<int>(sizeof(float));
  const int rounds =
      std::clamp(a.rows / (round * blocks_for_all), 1, std::max(1, short_tile_bytes / (round * row_bytes)));
  const int tile_rows = round * rounds;
  const std::size_t shared = 2 * sizeof(T) * tile_values<T>(tile_rows * a.classes) + 3 * sizeof(float) * tile_rows;
  launch(gpu, short_rows<T, hard>, steps(a.rows, tile_rows), threads, shared, a, lanes, tile_rows);
}

template <class T, bool hard>
void run_long_rows(Gpu gpu, const SoftenedKl<T>& a) {
  const int pieces = a.classes / Pack<T>::count, resident_most = std::min(pieces, softened_kl_on_chip / 32);
  int threads = 128;
  while (threads < longest_block && 4 * threads < pieces) threads *= 2;
  launch(gpu, long_rows<T, hard>, a.rows, threads, static_cast<std::size_t>(resident_most) * 32, a, resident_most);
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const SoftenedKl<T>& a) {
  if (a.classes * sizeof(T) <= short_row_bytes)
    return a.labels ? run_short_rows<T, true>(gpu, a) : run_short_rows<T, false>(gpu, a);
  a.labels ? run_long_rows<T, true>(gpu, a) : run_long_rows<T, false>(gpu, a);
}
template void run_on(Gpu, const SoftenedKl<float>&);
template void run_on(Gpu, const SoftenedKl<bfloat16>&);

template <class T>
void run_on(Gpu gpu, const SoftenedBinaryKl<T>& a) {
  const std::int64_t all = static_cast<std::int64_t>(a.rows) * a.labels;
  const bool alone = a.targets && all <= one_block_entries;
  // Enough rows for a value per thread, more when there are many, in whole sectors where a tile has room for that.
  int tile_rows = std::max(1, binary_tile / a.labels);
  if (tile_rows >= aligned_rows<T>) {
    const int fewest = std::max({1, a.rows / blocks_for_all, binary_threads / a.labels});
    tile_rows = static_cast<int>(std::min(steps(fewest, aligned_rows<T>), std::int64_t{tile_rows / aligned_rows<T>})) *
                aligned_rows<T>;
  }
  if (alone) tile_rows = a.rows;
  const int tile = alone ? static_cast<int>(all) : std::min(binary_tile, tile_rows * a.labels);
  const std::int64_t tiles = steps(a.rows, tile_rows);
  const std::int64_t blocks = a.targets ? std::min<std::int64_t>(tiles, counting_blocks) : tiles;
  const int threads =
      alone ? static_cast<int>(std::min<std::int64_t>(steps(all, binary_threads) * binary_threads, longest_block))
            : binary_threads;
  const std::size_t shared =
      2 * sizeof(T) * tile_values<T>(tile) + sizeof(float) * (tile_values<float>(tile) + tile_rows);
  launch(gpu, binary_rows<T>, blocks, threads, shared, a, lanes_for(a.labels), tile_rows, tile);
}
template void run_on(Gpu, const SoftenedBinaryKl<float>&);
template void run_on(Gpu, const SoftenedBinaryKl<bfloat16>&);

}  // namespace preceptor::kernels
