// Losses on differences on cuda and on the emulated device: a block takes a row.
#include "kernels/pointwise_loss/pointwise_loss.h"

#include <algorithm>
#include <cmath>

#include "kernels/device/gpu.h"
#include "kernels/device/group.cuh"
#include "kernels/device/reduce.cuh"

namespace preceptor::kernels {
namespace {

constexpr int most_threads = 512;      // per block
constexpr int groups_of_a_thread = 4;  // over which the exchange at the end of a row is spread

// mapping: a block takes a row, each thread every blockDim-th group of 16 bytes; bytes: student and teacher read,
// d_student written, once; operations: 2 to 15 per entry; hazard: the row's sum is taken in an order that the number of
// columns alone decides: by thread, by warp, by block.
template <class T, class Group>
__global__ void __launch_bounds__(most_threads) pointwise_row(PointwiseLoss<T> a) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * a.columns;
  const int step = static_cast<int>(blockDim.x) * Group::count;
  float sum = 0;
  for (int column = static_cast<int>(threadIdx.x) * Group::count; column < a.columns; column += step) {
    const Group student = load_group<Group>(a.student + row + column);
    Group teacher;
    if (a.teacher) {
      teacher = load_group<Group>(a.teacher + row + column);
    } else {
#pragma unroll
      for (int j = 0; j < Group::count; ++j) teacher.value[j] = from_float<T>(0);
    }
    Group gradient;
#pragma unroll
    for (int j = 0; j < Group::count; ++j) {
      const PointwiseTerm<float> term(a.kind, to_float(student.value[j]), to_float(teacher.value[j]), a.parameter);
      sum += term.loss;
      gradient.value[j] = from_float<T>(a.scale * term.derivative);
    }
    store_group(a.d_student + row + column, gradient);
  }
  // Threads that had no group are here too: a reduction is for all threads of the block.
  sum = reduce_block(sum, Sum{}, 0.0f);
  if (threadIdx.x == 0) a.loss[blockIdx.x] = a.scale * sum;
}

constexpr int sum_threads = 256;

// mapping: one block: what is added up are the losses of a batch; bytes: 8 per value; operations: 1 per value.
__global__ void __launch_bounds__(sum_threads) root_of_sum(RootOfSum a) {
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < a.count; i += sum_threads) {
    sum += static_cast<double>(a.loss[i]);
    a.loss[i] = 0;
  }
  sum = reduce_block(sum, Sum{}, 0.0);
  if (threadIdx.x != 0) return;
  const double root = std::sqrt(sum), scale = static_cast<double>(a.scale);
  a.loss[0] = static_cast<float>(scale * root);
  *a.factor = root == 0 ? 0.0f : static_cast<float>(scale / (2 * root));
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const PointwiseLoss<T>& a) {
  const bool in_groups = a.columns % Pack<T>::count == 0 && aligned16(a.student, a.teacher, a.d_student);
  with_group<T>(in_groups, [&](auto group) {
    using Group = decltype(group);
    const int warps = static_cast<int>(steps(a.columns / Group::count, groups_of_a_thread * warp_size));
    launch(gpu, pointwise_row<T, Group>, a.rows, std::min(warps * warp_size, most_threads), 0, a);
  });
}
INSTANTIATE_RUN_ON(PointwiseLoss);

void run_on(Gpu gpu, const RootOfSum& a) { launch(gpu, root_of_sum, 1, sum_threads, 0, a); }

}  // namespace preceptor::kernels
