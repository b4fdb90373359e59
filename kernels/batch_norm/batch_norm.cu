// Batch normalization on cuda and emulated: channels-last maps as matrices of rows (pixels) and channels.
#include "kernels/batch_norm/batch_norm.h"

#include <cassert>

#include "kernels/batch_norm/affine.cuh"
#include "kernels/batch_norm/reduce_rows.cuh"
#include "kernels/device/gpu.h"

namespace preceptor::kernels {
namespace {

// The channel whose sums a thread gets from reduce_map_rows.
__device__ inline int channel_of_thread(const Tiling& t) {
  return static_cast<int>(blockIdx.x) * t.tile_channels() + static_cast<int>(threadIdx.x);
}

// The results of a channel from its statistics.
template <class T>
__device__ void finish(const FindStatistics<T>& a, int channel, const ChannelStatistics& statistics) {
  a.statistics[channel] = statistics;
}
template <class T>
__device__ void finish(const BatchNormForward<T>& a, int channel, const ChannelStatistics& statistics) {
  const double count = static_cast<double>(a.x.images) * a.x.height * a.x.width;
  const double variance = statistics.m2 / count;
  const Rounded mean(statistics.mean), inverse(1 / sqrt(variance + static_cast<double>(a.epsilon)));
  const float scale = a.gamma[channel] * inverse.value;
  a.mean[channel] = mean.value;
  a.rstd[channel] = inverse.value;
  a.scale[channel] = scale;
  // Rounding the mean to float moves x - mean; the offset takes that back.
  a.offset[channel] = fmaf(-mean.rounding, scale, a.beta[channel]);
  a.rounding_errors[channel] = mean.rounding;
  a.rounding_errors[a.x.channels + channel] = inverse.rounding;
  if (!a.running_mean) return;
  const float unbiased = static_cast<float>(count > 1 ? statistics.m2 / (count - 1) : variance);
  float &running_mean = a.running_mean[channel], &running_variance = a.running_variance[channel];
  running_mean = fmaf(a.momentum, mean.value - running_mean, running_mean);
  running_variance = fmaf(a.momentum, unbiased - running_variance, running_variance);
}

// mapping: a channel a thread; bytes: about 60 per channel; operations: about 20.
template <class T>
__global__ void finish_given(BatchNormForward<T> a) {
  const int channel = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (channel < a.x.channels) finish(a, channel, a.statistics[channel]);
}

// mapping: Tiling; a thread sums its channels over its rows in registers, around its own first value; the last block of
// a tile merges the blocks' statistics; bytes: x once; operations: 3 per element; hazard: E[x^2] - E[x]^2 would lose
// the digits of (mean / deviation)^2. n values that are summed around one of themselves lose a factor of n + 1 at most,
// and a thread has few. Means are kept as distances from the map's first row, so 10^4 deviations cost no digit of them.
template <class Group, class Arguments>
__global__ void __launch_bounds__(Tiling::threads, 2) sum_statistics(Arguments a, Tiling t, unsigned* tickets) {
  constexpr int width = Group::count;
  SHARED(float, origin, [Staging<width>::size]);
  const Position at(t);
  const int step = t.rows_at_once();
  if (at.row == 0 && at.inside) {
    const Group x = load_group<Group>(row_at(a.x, 0, at.channel));
#pragma unroll
    for (int j = 0; j < width; ++j) origin[Staging<width>::slot(at.lane, j)] = to_float(x.value[j]);
  }
  Sums<width> own{};
  Group shift{};
  for_each_row<4>(at, step, [&](int row, auto rows) {
    Group x[rows.value];
#pragma unroll
    for (int u = 0; u < rows.value; ++u) x[u] = load_group<Group>(row_at(a.x, row + u * step, at.channel));
    if (row == at.first) shift = x[0];
#pragma unroll
    for (int u = 0; u < rows.value; ++u)
#pragma unroll
      for (int j = 0; j < width; ++j) {
        const float difference = to_float(x[u].value[j]) - to_float(shift.value[j]);
        own.first[j] += difference;
        own.second[j] = fmaf(difference, difference, own.second[j]);
      }
  });
  __syncthreads();
  if (at.first < at.last) {
    own.count = static_cast<float>(steps(at.last - at.first, step));
#pragma unroll
    for (int j = 0; j < width; ++j) {
      const float distance = own.first[j] / own.count, squares = fmaf(-own.first[j], distance, own.second[j]);
      own.first[j] = to_float(shift.value[j]) - origin[Staging<width>::slot(at.lane, j)] + distance;
      own.second[j] = squares < 0 ? 0 : squares;  // in this form a NaN survives
    }
  }

  Sums<1> total;
  if (reduce_map_rows(own, MergeStatistics{}, t, static_cast<float*>(a.workspace), tickets, total))
    finish(a, channel_of_thread(t),
           statistics_of(total, origin[Staging<width>::slot_of_channel(static_cast<int>(threadIdx.x))]));
}

// mapping: Tiling, a slice's rows from the last to the first, which finds the rows that the statistics read last in L2;
// bytes: x (and residual) read, y written; operations: 3 or 4 per element.
template <class T, class Group>
__global__ void __launch_bounds__(Tiling::threads, 2) apply(BatchNormInference<T> a, Tiling t) {
  constexpr int width = Group::count;
  SHARED(float, staged, [3][Staging<width>::size]);
  const Position at(t);
  const int step = t.rows_at_once();
  Affine<width>::stage(staged, at, a.mean, a.scale, a.gamma, a.variance, a.epsilon, a.beta);
  __syncthreads();
  Affine<width> affine{};
  affine.fetch(staged, at, true);
  const int mirror = at.first - at.row + at.last - 1;
  for_each_row<2>(at, step, [&](int row, auto rows) {
    Group x[rows.value], residual[rows.value];
#pragma unroll
    for (int u = 0; u < rows.value; ++u) x[u] = load_group<Group>(row_at(a.x, mirror - row - u * step, at.channel));
    if (a.residual.data)
#pragma unroll
      for (int u = 0; u < rows.value; ++u)
        residual[u] = load_group<Group>(row_at(a.residual, mirror - row - u * step, at.channel));
#pragma unroll
    for (int u = 0; u < rows.value; ++u) {
      Group y;
#pragma unroll
      for (int j = 0; j < width; ++j) {
        float value = bn_apply(to_float(x[u].value[j]), affine.mean[j], affine.scale[j], affine.offset[j]);
        if (a.residual.data) value += to_float(residual[u].value[j]);
        y.value[j] = from_float<T>(a.relu && value < 0 ? 0 : value);
      }
      store_group(row_at(a.y, mirror - row - u * step, at.channel), y);
    }
  });
}

// d_y, and what decides whether the ReLU lets it pass, for some rows of a thread.
template <class T, class Group, Mask mask, int rows>
struct MaskedGradient {
  Group d_y[rows], x[rows], y[rows];

  __device__ MaskedGradient(const BatchNormBackward<T>& a, int row, int step, int channel, bool needs_x) {
#pragma unroll
    for (int u = 0; u < rows; ++u) d_y[u] = load_group<Group>(row_at(a.d_y, row + u * step, channel));
    if (needs_x || mask == Mask::recomputed)
#pragma unroll
      for (int u = 0; u < rows; ++u) x[u] = load_group<Group>(row_at(a.x, row + u * step, channel));
    if constexpr (mask == Mask::given)
#pragma unroll
      for (int u = 0; u < rows; ++u) y[u] = load_group<Group>(row_at(a.y, row + u * step, channel));
  }
  template <int width>
  __device__ float at(int u, int j, const Affine<width>& affine) const {
    bool passes = true;
    if constexpr (mask == Mask::given) passes = to_float(y[u].value[j]) > 0;
    if constexpr (mask == Mask::recomputed)
      passes = stored_positive<T>(bn_apply(to_float(x[u].value[j]), affine.mean[j], affine.scale[j], affine.offset[j]));
    return passes ? to_float(d_y[u].value[j]) : 0;
  }
};

// Behind the partial sums in the workspace, [2][stride]: the mean of the masked d_y, and the slope of its part along x.
template <class T>
__device__ float* means_of_gradients(const BatchNormBackward<T>& a, const Tiling& t) {
  return static_cast<float*>(a.workspace) + 2 * static_cast<std::size_t>(t.slices) * t.stride();
}

// The results of a channel from the sums of masked d_y and of masked d_y (x - mean).
template <class T>
__device__ void finish_gradients(const BatchNormBackward<T>& a, int channel, const Sums<1>& sums, const Tiling& t) {
  float* means = means_of_gradients(a, t);
  const double of_mean = a.rounding_errors ? static_cast<double>(a.rounding_errors[channel]) : 0;
  const double of_inverse = a.rounding_errors ? static_cast<double>(a.rounding_errors[a.x.channels + channel]) : 0;
  const double inverse = static_cast<double>(a.rstd[channel]) + of_inverse;
  const double plain = static_cast<double>(sums.first[0]), count = static_cast<double>(sums.count);
  const double normalized = (static_cast<double>(sums.second[0]) - of_mean * plain) * inverse;
  const double slope = inverse * normalized / count;
  if (a.d_gamma) a.d_gamma[channel] = static_cast<float>(normalized);
  if (a.d_beta) a.d_beta[channel] = sums.first[0];
  means[channel] = static_cast<float>(plain / count - of_mean * slope);
  means[t.stride() + channel] = static_cast<float>(slope);
}

// mapping: Tiling, as sum_statistics; bytes: x, d_y (and y) once; operations: 3 per element, 5 with the mask
// recomputed; hazard: the mask must be the forward pass's, also where y is a rounding away from 0.
template <class T, class Group, Mask mask>
__global__ void __launch_bounds__(Tiling::threads, 2)
    sum_gradients(BatchNormBackward<T> a, Tiling t, unsigned* tickets) {
  constexpr int width = Group::count;
  SHARED(float, staged, [3][Staging<width>::size]);
  const Position at(t);
  const int step = t.rows_at_once();
  const bool recomputed = mask == Mask::recomputed;
  Affine<width>::stage(staged, at, a.mean, a.scale, nullptr, nullptr, 0, recomputed ? a.offset : nullptr);
  __syncthreads();
  Affine<width> affine{};
  affine.fetch(staged, at, recomputed);
  Sums<width> own{};
  for_each_row<2>(at, step, [&](int row, auto rows) {
    const MaskedGradient<T, Group, mask, rows.value> gradient(a, row, step, at.channel, true);
#pragma unroll
    for (int u = 0; u < rows.value; ++u)
#pragma unroll
      for (int j = 0; j < width; ++j) {
        const float value = gradient.at(u, j, affine);
        own.first[j] += value;
        own.second[j] = fmaf(value, to_float(gradient.x[u].value[j]) - affine.mean[j], own.second[j]);
      }
  });

  Sums<1> total;
  if (reduce_map_rows(own, AddSums{}, t, static_cast<float*>(a.workspace), tickets, total))
    finish_gradients(a, channel_of_thread(t), total, t);
}

// mapping: Tiling; bytes: d_y (x, y, d_x_so_far) read, d_x (and d_residual) written; operations: 5 per element, 7 with
// the mask recomputed; hazard: d_x or d_residual may be memory that is read, so a thread reads a group
// before it writes there.
template <class T, class Group, Mask mask>
__global__ void __launch_bounds__(Tiling::threads) apply_gradients(BatchNormBackward<T> a, Tiling t) {
  constexpr int width = Group::count;
  SHARED(float, staged, [3][Staging<width>::size]);
  SHARED(float, means, [2][Staging<width>::size]);
  const Position at(t);
  const int step = t.rows_at_once();
  const bool recomputed = mask == Mask::recomputed, moving = a.batch_statistics;
  Affine<width>::stage(staged, at, a.mean, a.scale, nullptr, nullptr, 0, recomputed ? a.offset : nullptr);
  if (moving && at.row == 0 && at.inside) {
    float values[width];
    for (int i = 0; i < 2; ++i) {
      load_floats(means_of_gradients(a, t) + i * t.stride() + at.channel, values);
      Staging<width>::put(means[i], at.lane, values);
    }
  }
  __syncthreads();
  Affine<width> affine{};
  affine.fetch(staged, at, recomputed);
  float constant[width] = {}, slope[width] = {};
  if (moving && at.inside) {
    Staging<width>::get(means[0], at.lane, constant);
    Staging<width>::get(means[1], at.lane, slope);
  }
  for_each_row<2>(at, step, [&](int row, auto rows) {
    const MaskedGradient<T, Group, mask, rows.value> gradient(a, row, step, at.channel, moving);
    Group so_far[rows.value];
    if (a.d_x_so_far.data)
#pragma unroll
      for (int u = 0; u < rows.value; ++u)
        so_far[u] = load_group<Group>(row_at(a.d_x_so_far, row + u * step, at.channel));
#pragma unroll
    for (int u = 0; u < rows.value; ++u) {
      Group d_x, d_residual;
#pragma unroll
      for (int j = 0; j < width; ++j) {
        float value = gradient.at(u, j, affine);
        d_residual.value[j] = from_float<T>(value);
        if (moving) value -= fmaf(to_float(gradient.x[u].value[j]) - affine.mean[j], slope[j], constant[j]);
        value *= affine.scale[j];
        if (a.d_x_so_far.data) value += to_float(so_far[u].value[j]);
        d_x.value[j] = from_float<T>(value);
      }
      if (a.d_residual.data) store_group(row_at(a.d_residual, row + u * step, at.channel), d_residual);
      store_group(row_at(a.d_x, row + u * step, at.channel), d_x);
    }
  });
}

// mapping: Tiling over [inner][out_block], a grid layer per channel block; bytes: weights read and written, 4 at a
// time: they are folded once per evaluation; operations: 1 per weight.
__global__ void __launch_bounds__(Tiling::threads) fold(FoldBatchNorm a, Tiling t) {
  SHARED(float, factors, [Staging<1>::size]);
  const Position at(t);
  const int channel = static_cast<int>(blockIdx.z) * t.channels + at.channel, step = t.rows_at_once();
  if (at.row == 0 && at.inside) {
    const float factor = a.gamma[channel] / sqrtf(a.running_variance[channel] + a.epsilon);
    factors[at.lane] = factor;
    if (blockIdx.y == 0) a.folded_bias[channel] = fmaf(-a.running_mean[channel], factor, a.beta[channel]);
  }
  __syncthreads();
  const float factor = at.inside ? factors[at.lane] : 0;
  const std::int64_t begin = static_cast<std::int64_t>(blockIdx.z) * t.rows * t.channels + at.channel;
  for_each_row<4>(at, step, [&](int row, auto rows) {
    float weight[rows.value];
#pragma unroll
    for (int u = 0; u < rows.value; ++u)
      weight[u] = a.weight[begin + static_cast<std::int64_t>(row + u * step) * t.channels];
#pragma unroll
    for (int u = 0; u < rows.value; ++u)
      a.folded_weight[begin + static_cast<std::int64_t>(row + u * step) * t.channels] = weight[u] * factor;
  });
}

template <class T>
Tiling tiling_of(const FeatureMap<T>& map, int width) {
  assert(static_cast<std::int64_t>(map.images) * map.plane() < std::int64_t{1} << 30);
  const Tiling tiling(map.images * map.plane(), map.channels, width);
  assert(tiling.tiles <= ticket_count);
  return tiling;
}

template <Mask mask, class T, class Group>
void launch_gradients(Gpu gpu, const BatchNormBackward<T>& a, Group) {
  const Tiling t = tiling_of(a.x, Group::count);
  const dim3 grid(t.tiles, t.slices);
  if (a.needs_sums()) launch(gpu, sum_gradients<T, Group, mask>, grid, Tiling::threads, 0, a, t, gpu.tickets);
  launch(gpu, apply_gradients<T, Group, mask>, grid, Tiling::threads, 0, a, t);
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const BatchNormForward<T>& a) {
  const bool aligned = rows_aligned(a.x, a.residual, a.y) && aligned16(a.mean, a.scale, a.offset);
  with_group<T>(aligned, [&](auto group) {
    using Group = decltype(group);
    const Tiling t = tiling_of(a.x, Group::count);
    const dim3 grid(t.tiles, t.slices);
    if (a.statistics)
      launch(gpu, finish_given<T>, steps(a.x.channels, 128), 128, 0, a);
    else
      launch(gpu, sum_statistics<Group, BatchNormForward<T>>, grid, Tiling::threads, 0, a, t, gpu.tickets);
    if (!a.y.data) return;
    const BatchNormInference<T> given{a.x, a.residual, a.y, nullptr, a.offset, a.mean, nullptr, a.scale, 0, a.relu};
    launch(gpu, apply<T, Group>, grid, Tiling::threads, 0, given, t);
  });
}

template <class T>
void run_on(Gpu gpu, const FindStatistics<T>& a) {
  with_group<T>(rows_aligned(a.x), [&](auto group) {
    using Group = decltype(group);
    const Tiling t = tiling_of(a.x, Group::count);
    launch(gpu, sum_statistics<Group, FindStatistics<T>>, dim3(t.tiles, t.slices), Tiling::threads, 0, a, t,
           gpu.tickets);
  });
}

template <class T>
void run_on(Gpu gpu, const BatchNormInference<T>& a) {
  const bool aligned = rows_aligned(a.x, a.residual, a.y) && aligned16(a.gamma, a.beta, a.mean, a.variance, a.scale);
  with_group<T>(aligned, [&](auto group) {
    using Group = decltype(group);
    const Tiling t = tiling_of(a.x, Group::count);
    launch(gpu, apply<T, Group>, dim3(t.tiles, t.slices), Tiling::threads, 0, a, t);
  });
}

template <class T>
void run_on(Gpu gpu, const BatchNormBackward<T>& a) {
  const bool aligned =
      rows_aligned(a.x, a.y, a.d_y, a.d_x_so_far, a.d_x, a.d_residual) && aligned16(a.mean, a.scale, a.offset);
  with_group<T>(aligned, [&](auto group) {
    if (!a.relu)
      launch_gradients<Mask::none>(gpu, a, group);
    else if (a.recomputes_y())
      launch_gradients<Mask::recomputed>(gpu, a, group);
    else
      launch_gradients<Mask::given>(gpu, a, group);
  });
}

void run_on(Gpu gpu, const FoldBatchNorm& a) {
  const Tiling t(a.inner, a.out_block, 1);
  launch(gpu, fold, dim3(t.tiles, t.slices, a.out_channels / a.out_block), Tiling::threads, 0, a, t);
}

INSTANTIATE_RUN_ON(FindStatistics);
INSTANTIATE_RUN_ON(BatchNormForward);
INSTANTIATE_RUN_ON(BatchNormInference);
INSTANTIATE_RUN_ON(BatchNormBackward);

}  // namespace preceptor::kernels
