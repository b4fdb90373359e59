// Version 1: a thread per row, as one would write it for a cpu. Every thread walks through its own row, so that the 32
// lanes of a warp read 32 addresses a whole row apart: each brings a sector of 32 bytes for one value of 4, and comes
// back for the next one when the sector may be gone. With few rows most of the card has no thread at all.
#include "kernels/device/gpu.h"
#include "kernels/softened_kl/row.cuh"
#include "kernels/softened_kl/versions/versions.h"

namespace preceptor::kernels::versions {
namespace {

constexpr int threads = 128;

// mapping: a thread takes a row; bytes: student and teacher read three times, one value of a sector at a time;
// operations: about 45 per class; hazard: none, no thread needs another.
__global__ void thread_per_row(const SoftenedKl<float> a) {
  const int row = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (row >= a.rows) return;
  const std::size_t first = static_cast<std::size_t>(row) * a.classes;
  const float *student = a.student + first, *teacher = a.teacher + first;
  const Softening softening(a.temperature);
  Maxima maxima;
  for (int i = 0; i < a.classes; ++i) maxima.add(student[i], teacher[i]);
  Sums<false> sums;
  for (int i = 0; i < a.classes; ++i) sums.add(student[i], teacher[i], false, maxima, softening);
  const Row<false> statistics(softening, maxima, sums, false, a.scale, 0);
  float divergence = 0;
  for (int i = 0; i < a.classes; ++i)
    a.d_student[first + i] = statistics.gradient(student[i], teacher[i], false, divergence);
  a.loss[row] = statistics.loss(divergence);
}

}  // namespace

void naive(Gpu gpu, const SoftenedKl<float>& a) { launch(gpu, thread_per_row, steps(a.rows, threads), threads, 0, a); }

}  // namespace preceptor::kernels::versions
