// Version 2: a block per row. Neighboring lanes read neighboring classes, so that a warp's 32 values are 4 sectors,
// and maxima and sums are combined over the block. The row is still read three times: for the maxima,
// the sums, the gradient.
#include "kernels/device/reduce.cuh"
#include "kernels/softened_kl/row.cuh"
#include "kernels/softened_kl/versions/versions.h"

namespace preceptor::kernels::versions {
namespace {

constexpr int threads = 128;

// mapping: a block takes a row, a thread every 128th class; bytes: student and teacher read three times; operations:
// about 45 per class; hazard: all threads take part in the sums, also those that have no class.
__global__ void three_passes(const SoftenedKl<float> a) {
  const std::size_t first = static_cast<std::size_t>(blockIdx.x) * a.classes;
  const float *student = a.student + first, *teacher = a.teacher + first;
  const int thread = static_cast<int>(threadIdx.x);
  const Softening softening(a.temperature);
  Maxima maxima;
  for (int i = thread; i < a.classes; i += threads) maxima.add(student[i], teacher[i]);
  maxima.student = reduce_block(maxima.student, Maximum{}, no_logit);
  maxima.teacher = reduce_block(maxima.teacher, Maximum{}, no_logit);
  Sums<false> sums;
  for (int i = thread; i < a.classes; i += threads) sums.add(student[i], teacher[i], false, maxima, softening);
  sums.student = reduce_block(sums.student, Sum{}, 0.0f);
  sums.teacher = reduce_block(sums.teacher, Sum{}, 0.0f);
  const Row<false> statistics(softening, maxima, sums, false, a.scale, 0);
  float divergence = 0;
  for (int i = thread; i < a.classes; i += threads)
    a.d_student[first + i] = statistics.gradient(student[i], teacher[i], false, divergence);
  divergence = reduce_block(divergence, Sum{}, 0.0f);
  if (thread == 0) a.loss[blockIdx.x] = statistics.loss(divergence);
}

}  // namespace

void block_per_row(Gpu gpu, const SoftenedKl<float>& a) { launch(gpu, three_passes, a.rows, threads, 0, a); }

}  // namespace preceptor::kernels::versions
