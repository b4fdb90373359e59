// Softened probabilities on cuda and on the emulated device: a warp takes a row.
#include "kernels/softmax/softmax.h"

#include <cmath>

#include "kernels/device/gpu.h"
#include "kernels/device/reduce.cuh"

namespace preceptor::kernels {
namespace {

constexpr int block_rows = 4;  // a warp each

__device__ inline int row_of_warp() {
  return static_cast<int>(blockIdx.x) * block_rows + static_cast<int>(threadIdx.x) / warp_size;
}

// mapping: a warp takes a row, each lane every 32nd class; bytes: logits read three times, from L1 behind the first, p
// written; operations: about 10 per entry; hazard: in double, because what follows are small differences of p.
__global__ void __launch_bounds__(block_rows* warp_size) softened_rows(TemperatureSoftmax a) {
  const int row = row_of_warp(), lane = static_cast<int>(threadIdx.x) % warp_size;
  if (row >= a.rows) return;  // a warp leaves as a whole
  const double inverse = 1 / static_cast<double>(a.temperature);
  const float* z = a.logits + static_cast<std::int64_t>(row) * a.classes;
  float* p = a.p + static_cast<std::int64_t>(row) * a.classes;
  float maximum = -INFINITY;
  for (int i = lane; i < a.classes; i += warp_size) maximum = z[i] > maximum ? z[i] : maximum;
  maximum = reduce_lanes(maximum, Maximum{});
  const auto power = [&](int i) {
    return std::exp((static_cast<double>(z[i]) - static_cast<double>(maximum)) * inverse);
  };
  double sum = 0;
  for (int i = lane; i < a.classes; i += warp_size) sum += power(i);
  sum = reduce_lanes(sum, Sum{});
  const double by_sum = 1 / sum;
  for (int i = lane; i < a.classes; i += warp_size) p[i] = static_cast<float>(power(i) * by_sum);
}

// mapping: an entry a thread; bytes: logits read, p written; operations: about 10 per entry.
__global__ void __launch_bounds__(block_rows* warp_size) softened_entries(TemperatureSoftmax a, std::int64_t entries) {
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (at >= entries) return;
  const double z = static_cast<double>(a.logits[at]) / static_cast<double>(a.temperature);
  a.p[at] = static_cast<float>(1 / (1 + std::exp(-z)));
}

// mapping: as softened_rows; bytes: p and d_p read twice, d_logits written; operations: 5 per entry.
__global__ void __launch_bounds__(block_rows* warp_size) softened_rows_backward(TemperatureSoftmaxBackward a) {
  const int row = row_of_warp(), lane = static_cast<int>(threadIdx.x) % warp_size;
  if (row >= a.rows) return;
  const double inverse = 1 / static_cast<double>(a.temperature);
  const std::int64_t first = static_cast<std::int64_t>(row) * a.classes;
  double common = 0;
  for (int i = lane; i < a.classes; i += warp_size)
    common += static_cast<double>(a.p[first + i]) * static_cast<double>(a.d_p[first + i]);
  common = reduce_lanes(common, Sum{});
  for (int i = lane; i < a.classes; i += warp_size) {
    const double p = static_cast<double>(a.p[first + i]), d_p = static_cast<double>(a.d_p[first + i]);
    a.d_logits[first + i] = static_cast<float>(inverse * p * (a.independent ? (1 - p) * d_p : d_p - common));
  }
}

}  // namespace

void run_on(Gpu gpu, const TemperatureSoftmax& a) {
  if (a.independent) {
    const std::int64_t entries = static_cast<std::int64_t>(a.rows) * a.classes;
    return launch(gpu, softened_entries, steps(entries, block_rows * warp_size), block_rows * warp_size, 0, a, entries);
  }
  launch(gpu, softened_rows, steps(a.rows, block_rows), block_rows * warp_size, 0, a);
}
void run_on(Gpu gpu, const TemperatureSoftmaxBackward& a) {
  launch(gpu, softened_rows_backward, steps(a.rows, block_rows), block_rows * warp_size, 0, a);
}

}  // namespace preceptor::kernels
