// Means of probabilities on cuda and emulated: a warp per row, or for labels that know nothing of each other a thread
// per value.
#include "kernels/average_logits/average_logits.h"

#include "kernels/average_logits/log_sum.h"
#include "kernels/device/gpu.h"
#include "kernels/device/reduce.cuh"

namespace preceptor::kernels {
namespace {

constexpr int threads = 128, warps = threads / warp_size;

// The sum over all lanes; each lane gets it.
__device__ LogSum over_lanes(LogSum value) {
  for (int distance = warp_size / 2; distance > 0; distance /= 2)
    value.add(LogSum(__shfl_xor_sync(all_lanes, value.maximum(), distance),
                     __shfl_xor_sync(all_lanes, value.sum(), distance)));
  return value;
}

// mapping: a warp per row: its lanes sum a member's exponentials, lane k keeps the logarithm of member k's, then every
// lane mixes its own classes; bytes: logits read twice, the second time from L1, result written; operations: 40 per
// member and value; hazard: a butterfly adds the two sides of a pair in either order, so a sum is commutative in every
// bit: the larger maximum is taken out whichever side it is on.
template <class T>
__global__ void __launch_bounds__(threads) mix_rows(const AverageLogits<T> a) {
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int row = static_cast<int>(blockIdx.x) * warps + static_cast<int>(threadIdx.x) / warp_size;
  if (row >= a.rows) return;  // whole warps
  const std::int64_t values = static_cast<std::int64_t>(a.rows) * a.classes;
  const T* const logits = a.logits + static_cast<std::int64_t>(row) * a.classes;
  float normalizer = 0;  // normalizer of member `lane`
  for (int k = 0; k < a.members; ++k) {
    LogSum all;
    for (int c = lane; c < a.classes; c += warp_size) all.add(to_float(logits[k * values + c]));
    all = over_lanes(all);
    if (lane == k) normalizer = all.value();
  }
  for (int first = 0; first < a.classes; first += warp_size) {
    const int c = first + lane;
    LogSum mean;
    for (int k = 0; k < a.members; ++k) {
      const float of_member = __shfl_sync(all_lanes, normalizer, k);
      if (c < a.classes)
        mean.add(logf(a.weights[static_cast<std::int64_t>(k) * a.classes + c]) + to_float(logits[k * values + c]) -
                 of_member);
    }
    if (c < a.classes) a.combined[static_cast<std::int64_t>(row) * a.classes + c] = from_float<T>(mean.value());
  }
}

// mapping: a thread per value; bytes: logits read, result written, once; operations: 40 per member and value.
template <class T>
__global__ void __launch_bounds__(threads) mix_labels(const AverageLogits<T> a) {
  const std::int64_t values = static_cast<std::int64_t>(a.rows) * a.classes;
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (i >= values) return;
  const int c = static_cast<int>(i % a.classes);
  LogSum present, absent;
  for (int k = 0; k < a.members; ++k) {
    const float weight = logf(a.weights[static_cast<std::int64_t>(k) * a.classes + c]);
    const float z = to_float(a.logits[k * values + i]);
    present.add(weight + log_sigmoid(z));
    absent.add(weight + log_sigmoid(-z));
  }
  a.combined[i] = from_float<T>(present.value() - absent.value());
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const AverageLogits<T>& a) {
  if (a.multi_label)
    launch(gpu, mix_labels<T>, steps(static_cast<std::int64_t>(a.rows) * a.classes, threads), threads, 0, a);
  else
    launch(gpu, mix_rows<T>, steps(a.rows, warps), threads, 0, a);
}
INSTANTIATE_RUN_ON(AverageLogits);

}  // namespace preceptor::kernels
