// Version 3: online softmax (Milakov and Gimelshein 2018). Each thread keeps a maximum and a sum of exponentials
// relative to it; when the maximum moves, the sum is scaled to the new one. One pass gives maxima and sums, so the row
// is read twice.
#include "kernels/device/reduce.cuh"
#include "kernels/softened_kl/row.cuh"
#include "kernels/softened_kl/versions/versions.h"

namespace preceptor::kernels::versions {
namespace {

constexpr int threads = 128;

// mapping: a block takes a row, a thread every 128th class; bytes: student and teacher read twice; operations: about 45
// per class and two exponentials for maxima that move; hazard: the sums of two threads are relative to different
// maxima, and are scaled to the row's before they are added.
__global__ void two_passes(const SoftenedKl<float> a) {
  const std::size_t first = static_cast<std::size_t>(blockIdx.x) * a.classes;
  const float *student = a.student + first, *teacher = a.teacher + first;
  const int thread = static_cast<int>(threadIdx.x);
  const Softening softening(a.temperature);
  OnlineSums<false> online;
  for (int i = thread; i < a.classes; i += threads) {
    const float s[1] = {student[i]}, t[1] = {teacher[i]};
    online.add(s, t, -1, softening);
  }
  Maxima maxima = online.maxima;
  maxima.student = reduce_block(maxima.student, Maximum{}, no_logit);
  maxima.teacher = reduce_block(maxima.teacher, Maximum{}, no_logit);
  online.change_maxima(maxima, softening);
  Sums<false> sums = online.sums;
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

void online(Gpu gpu, const SoftenedKl<float>& a) { launch(gpu, two_passes, a.rows, threads, 0, a); }

}  // namespace preceptor::kernels::versions
