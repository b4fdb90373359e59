// Version 4: the row is copied to shared memory in pieces of 16 bytes, all of them on their way at once, and read from
// global memory only this time. Passes over shared memory are cheap, so that the three plain ones are back. The
// gradient takes the student's place and leaves in pieces too.
#include "kernels/device/reduce.cuh"
#include "kernels/device/tile.cuh"
#include "kernels/softened_kl/row.cuh"
#include "kernels/softened_kl/versions/versions.h"

namespace preceptor::kernels::versions {
namespace {

constexpr int threads = 128;

// mapping: a block takes a row, a thread every 128th class; bytes: student and teacher read once, d_student written;
// operations: about 45 per class; hazard: what cp.async brings is for the others there only after the wait and a
// barrier, and the gradients only after another.
__global__ void staged_row(const SoftenedKl<float> a) {
  const std::size_t first = static_cast<std::size_t>(blockIdx.x) * a.classes;
  float* const student_tile = dynamic_shared<float>();
  float* const teacher_tile = student_tile + tile_values<float>(a.classes);
  const Placement run(a.student + first, a.classes, same_alignment(a.student, a.teacher, a.d_student));
  stage(student_tile, a.student + first, teacher_tile, a.teacher + first, run);
  copy_async_commit();
  copy_async_wait<0>();
  __syncthreads();

  float* const student = student_tile + run.shift;
  const float* const teacher = teacher_tile + run.shift;
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
    student[i] = statistics.gradient(student[i], teacher[i], false, divergence);
  divergence = reduce_block(divergence, Sum{}, 0.0f);
  if (thread == 0) a.loss[blockIdx.x] = statistics.loss(divergence);
  // The barriers of the last sum stand between the gradients and this.
  unstage(a.d_student + first, student_tile, run);
}

}  // namespace

void staged(Gpu gpu, const SoftenedKl<float>& a) {
  const std::size_t shared = 2 * sizeof(float) * tile_values<float>(a.classes);
  if (shared > softened_kl_on_chip)
    throw Error(ErrorKind::usage,
                "softened_kl: a row of " + std::to_string(a.classes) + " classes does not fit on chip");
  launch(gpu, staged_row, a.rows, threads, shared, a);
}

}  // namespace preceptor::kernels::versions
