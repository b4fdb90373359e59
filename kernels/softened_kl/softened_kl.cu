// Softened KL on cuda and on the emulated device: short rows share a block, a long row has one.
// README.md has the derivation.
#include "kernels/softened_kl/softened_kl.h"

#include <algorithm>
#include <cmath>

#include "kernels/cross_entropy/entries.cuh"
#include "kernels/device/gpu.h"
#include "kernels/device/long_row.cuh"
#include "kernels/device/reduce.cuh"
#include "kernels/device/tile.cuh"
#include "kernels/softened_kl/row.cuh"

namespace preceptor::kernels {
namespace {

// The label of a row: a class, or -1.
template <class T, bool hard>
__device__ int label_of(float stored) {
  return !hard || std::isnan(stored) ? -1 : static_cast<int>(stored);
}

// mapping: a block takes tile_rows neighboring rows, a group of `lanes` neighboring lanes one row at a time: the
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
    if (lane == 0) loss[row] = statistics.loss(divergence);  // rows past the last have a place too
  }
  __syncthreads();
  unstage(a.d_student + first, student, run);
  for (int row = thread; row < rows; row += threads) a.loss[first_row + row] = loss[row];
}

// mapping: a block takes a row, each thread every blockDim-th piece of 16 bytes; bytes: student and teacher read once
// as far as the row fits on chip, twice beyond, d_student written; operations: as above, and 2 exponentials per
// piece (3 with labels) for the maximum that moves; hazard: sums of exponentials relative to each thread's own maximum
// must be scaled to the row's before they are added.
template <class T, bool hard>
__global__ void __launch_bounds__(longest_row_block) long_rows(const SoftenedKl<T> a, int resident_most) {
  SHARED(float, of_row, [2]);
  const std::size_t offset = static_cast<std::size_t>(blockIdx.x) * a.classes;
  const LongRow<T, 2> row({a.student + offset, a.teacher + offset}, a.d_student + offset, a.classes, resident_most);
  // Read once, and not by every warp.
  if (threadIdx.x == 0) {
    of_row[0] = a.row_temperature ? a.row_temperature[blockIdx.x] : a.temperature;
    of_row[1] = hard ? a.labels[blockIdx.x] : 0.0f;
  }
  __syncthreads();
  const Softening softening(of_row[0]);
  const int label = label_of<T, hard>(of_row[1]);

  OnlineSums<hard> online;
  row.for_each([&](int first, const auto& x) { online.add(x[0], x[1], label - first, softening); });
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
  row.for_each([&](int first, const auto& x) {
    constexpr int count = static_cast<int>(sizeof x[0] / sizeof(float));
    T gradient[count];
    for (int i = 0; i < count; ++i)
      gradient[i] = from_float<T>(statistics.gradient(x[0][i], x[1][i], first + i == label, divergence[0]));
    row.store(a.d_student + offset + first, gradient);
  });
  combine_block(divergence, Sum{}, 0.0f);
  if (threadIdx.x == 0) a.loss[blockIdx.x] = statistics.loss(divergence[0]);
}

// An entry of the binary form.
struct SoftenedEntry {
  Softening softening;
  float of_present, of_absent;

  __device__ EntryLoss operator()(const float (&logits)[2], float target) const {
    const Term term = binary_term(logits[0], logits[1], softening);
    const float share = target * of_present + (1 - target) * of_absent;
    return {share * softening.temperature * softening.temperature * term.divergence,
            share * softening.temperature * term.gradient};
  }
};

template <bool hard, class T>
void run_rows(Gpu gpu, const SoftenedKl<T>& a) {
  if (a.classes * sizeof(T) > short_row_bytes) {
    const int pieces = a.classes / Pack<T>::count, resident_most = std::min(pieces, softened_kl_on_chip / 32);
    launch(gpu, long_rows<T, hard>, a.rows, long_row_threads(pieces), static_cast<std::size_t>(resident_most) * 32, a,
           resident_most);
    return;
  }
  const ShortRows t = ShortRows::of<T>(a.rows, a.classes, 2 * sizeof(T) * a.classes + 3 * sizeof(float));
  const std::size_t shared = 2 * sizeof(T) * tile_values<T>(t.tile_rows * a.classes) + 3 * sizeof(float) * t.tile_rows;
  launch(gpu, short_rows<T, hard>, steps(a.rows, t.tile_rows), t.threads, shared, a, t.lanes, t.tile_rows);
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const SoftenedKl<T>& a) {
  a.labels ? run_rows<true>(gpu, a) : run_rows<false>(gpu, a);
}
INSTANTIATE_RUN_ON(SoftenedKl);

template <class T>
void run_on(Gpu gpu, const SoftenedBinaryKl<T>& a) {
  const SoftenedEntry entry{Softening(a.temperature), a.of_present, a.of_absent};
  run_entries(gpu, EntryLosses<T, 2, SoftenedEntry>{
                       {a.student, a.teacher}, a.targets, a.loss, a.d_student, a.rows, a.labels, a.weight, entry});
}
INSTANTIATE_RUN_ON(SoftenedBinaryKl);

}  // namespace preceptor::kernels
