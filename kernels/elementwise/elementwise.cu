// Elementwise operations on cuda and emulated: maps without gaps are one row, views of wider maps a
// row for every pixel.
#include "kernels/elementwise/elementwise.h"

#include "kernels/device/gpu.h"
#include "kernels/device/reduce.cuh"
#include "kernels/device/rows.cuh"

namespace preceptor::kernels {
namespace {

// operations: 1 per element; hazard: max(x, 0) may turn a NaN into 0, this comparison keeps it.
struct KeepPositive {
  template <class T>
  __device__ T operator()(T x) const {
    return to_float(x) < 0 ? from_float<T>(0) : x;
  }
};

// operations: 1 per element; hazard: a NaN in d_y does not pass where y is 0.
struct PassWherePositive {
  template <class T>
  __device__ T operator()(T y, T d_y) const {
    return to_float(y) > 0 ? d_y : from_float<T>(0);
  }
};

// operations: 2 per element; hazard: as in KeepPositive.
struct LeakNegative {
  float slope;
  template <class T>
  __device__ T operator()(T x) const {
    return to_float(x) < 0 ? from_float<T>(slope * to_float(x)) : x;
  }
};

// operations: 2 per element.
struct LeakWhereNegative {
  float slope;
  template <class T>
  __device__ T operator()(T y, T d_y) const {
    // One way through a conversion for both: two took more registers than there are on sm_80.
    return from_float<T>((to_float(y) > 0 ? 1.0f : slope) * to_float(d_y));
  }
};

// operations: 1 per element.
struct AddBoth {
  template <class T>
  __device__ T operator()(T a, T b) const {
    return from_float<T>(to_float(a) + to_float(b));
  }
};

// Inputs and output of an operation in one launch of combine_rows.
template <class Operation, class T, class... Maps>
void run_maps(Gpu gpu, const Operation& operation, const FeatureMap<T>& to, const Maps&... from) {
  const auto dense = [](const auto& map) { return map.channel_stride == map.channels; };
  if (dense(to) && (... && dense(from))) {
    const RowShape whole{1, static_cast<std::int64_t>(to.elements())};
    run_rows(gpu, whole, RowsOf<T>{to.data, 0}, RowInputs<T, sizeof...(from)>{{{from.data, 0}...}}, operation);
  } else {
    assert(to.block == to.channel_stride && (... && (from.block == from.channel_stride)));
    const RowShape pixels{static_cast<std::int64_t>(to.images) * to.plane(), to.channels};
    run_rows(gpu, pixels, RowsOf<T>{to.data, to.channel_stride},
             RowInputs<T, sizeof...(from)>{{{from.data, from.channel_stride}...}}, operation);
  }
}

constexpr int margin_threads = 128;

// mapping: neighboring threads take neighboring groups of channels of all pixels; bytes: x read, y written, the
// margins from L1 after the first pixel; operations: 1 per element; hazard: as in KeepPositive.
template <class T, class Group>
__global__ void __launch_bounds__(margin_threads) margin_relu(MarginRelu<T> a, std::int64_t groups) {
  const std::int64_t group = static_cast<std::int64_t>(blockIdx.x) * margin_threads + threadIdx.x;
  if (group >= groups) return;
  const std::int64_t at = group * Group::count;
  const int channel = static_cast<int>(at % a.x.channels);
  Group values = load_group<Group>(a.x.data + at);
  float margin[Group::count];
  load_floats(a.margin + channel, margin);
#pragma unroll
  for (int j = 0; j < Group::count; ++j)
    if (to_float(values.value[j]) < margin[j]) values.value[j] = from_float<T>(margin[j]);
  store_group(a.y.data + at, values);
}

constexpr int scale_threads = 128, scale_groups = 4;  // per block, per thread

// mapping: the groups of a thread are a block's width apart, all on their way before one is used; bytes: x read and
// written; operations: 1 per value.
template <class T, class Group>
__global__ void __launch_bounds__(scale_threads) scale_by(ScaleBy<T> a) {
  const float factor = *a.factor;
  const std::int64_t groups = a.count / Group::count;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * (scale_threads * scale_groups) + threadIdx.x;
  Group values[scale_groups];
#pragma unroll
  for (int u = 0; u < scale_groups; ++u)
    if (first + u * scale_threads < groups)
      values[u] = load_group<Group>(a.x + (first + u * scale_threads) * Group::count);
#pragma unroll
  for (int u = 0; u < scale_groups; ++u)
    if (first + u * scale_threads < groups) {
#pragma unroll
      for (int j = 0; j < Group::count; ++j) values[u].value[j] = from_float<T>(factor * to_float(values[u].value[j]));
      store_group(a.x + (first + u * scale_threads) * Group::count, values[u]);
    }
  const std::int64_t rest = groups * Group::count + threadIdx.x;
  if (blockIdx.x == gridDim.x - 1 && rest < a.count) a.x[rest] = from_float<T>(factor * to_float(a.x[rest]));
}

constexpr int label_threads = 128;

// mapping: an entry a thread; bytes: student read, logits written; operations: none.
__global__ void __launch_bounds__(label_threads) label_logits(LabelLogits a) {
  const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * label_threads + threadIdx.x;
  if (at < static_cast<std::int64_t>(a.rows) * a.classes) a.logits[at] = a.logit(at);
}

constexpr int fill_threads = 256, fill_groups = 4;  // per block, per thread

// mapping: the groups of a thread are a block's width apart; bytes: written once; operations: none.
template <class Group>
__global__ void __launch_bounds__(fill_threads) fill(Fill a) {
  const std::int64_t groups = a.count / Group::count;
  const std::int64_t first = static_cast<std::int64_t>(blockIdx.x) * (fill_threads * fill_groups) + threadIdx.x;
  Group group;
#pragma unroll
  for (int j = 0; j < Group::count; ++j) group.value[j] = a.value;
#pragma unroll
  for (int u = 0; u < fill_groups; ++u)
    if (first + u * fill_threads < groups) store_group(a.to + (first + u * fill_threads) * Group::count, group);
  const std::int64_t rest = groups * Group::count + threadIdx.x;
  if (blockIdx.x == gridDim.x - 1 && rest < a.count) a.to[rest] = a.value;
}

constexpr int sum_threads = 512;

// mapping: one block: what is added up are the losses of a batch; a thread takes every 512th value; bytes: values read;
// operations: 1 per value, in double.
__global__ void __launch_bounds__(sum_threads) accumulate_sum(AccumulateSum a) {
  double sum = 0;
  for (int i = static_cast<int>(threadIdx.x); i < a.count; i += sum_threads) sum += static_cast<double>(a.values[i]);
  sum = reduce_block(sum, Sum{}, 0.0);
  if (threadIdx.x == 0) *a.total += sum;
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const ReluForward<T>& a) {
  run_maps(gpu, KeepPositive{}, a.y, a.x);
}
template <class T>
void run_on(Gpu gpu, const ReluBackward<T>& a) {
  run_maps(gpu, PassWherePositive{}, a.d_x, a.y, a.d_y);
}
template <class T>
void run_on(Gpu gpu, const LeakyReluForward<T>& a) {
  run_maps(gpu, LeakNegative{a.slope}, a.y, a.x);
}
template <class T>
void run_on(Gpu gpu, const LeakyReluBackward<T>& a) {
  run_maps(gpu, LeakWhereNegative{a.slope}, a.d_x, a.y, a.d_y);
}
template <class T>
void run_on(Gpu gpu, const MarginRelu<T>& a) {
  assert(a.x.channel_stride == a.x.channels && a.y.channel_stride == a.y.channels);
  const bool in_groups = a.x.channels % Pack<T>::count == 0 && aligned16(a.x.data, a.y.data);
  with_group<T>(in_groups, [&](auto group) {
    const auto groups = static_cast<std::int64_t>(a.x.elements()) / group.count;
    launch(gpu, margin_relu<T, decltype(group)>, steps(groups, margin_threads), margin_threads, 0, a, groups);
  });
}
template <class T>
void run_on(Gpu gpu, const Add<T>& a) {
  run_maps(gpu, AddBoth{}, a.out, a.a, a.b);
}

template <class T>
void run_on(Gpu gpu, const ScaleBy<T>& a) {
  const bool aligned = aligned16(a.x);
  const std::int64_t groups = a.count / (aligned ? Pack<T>::count : 1);
  const std::int64_t blocks = std::max<std::int64_t>(steps(groups, scale_threads * scale_groups), 1);
  launch(gpu, aligned ? scale_by<T, Pack<T>> : scale_by<T, Single<T>>, blocks, scale_threads, 0, a);
}
void run_on(Gpu gpu, const LabelLogits& a) {
  launch(gpu, label_logits, steps(static_cast<std::int64_t>(a.rows) * a.classes, label_threads), label_threads, 0, a);
}

void run_on(Gpu gpu, const Fill& a) {
  if (a.count == 0) return;
  const bool aligned = aligned16(a.to);
  const std::int64_t groups = a.count / (aligned ? Pack<float>::count : 1);
  const std::int64_t blocks = std::max<std::int64_t>(steps(groups, fill_threads * fill_groups), 1);
  launch(gpu, aligned ? fill<Pack<float>> : fill<Single<float>>, blocks, fill_threads, 0, a);
}

void run_on(Gpu gpu, const AccumulateSum& a) { launch(gpu, accumulate_sum, 1, sum_threads, 0, a); }

INSTANTIATE_RUN_ON(ReluForward);
INSTANTIATE_RUN_ON(ReluBackward);
INSTANTIATE_RUN_ON(LeakyReluForward);
INSTANTIATE_RUN_ON(LeakyReluBackward);
INSTANTIATE_RUN_ON(MarginRelu);
INSTANTIATE_RUN_ON(ScaleBy);
INSTANTIATE_RUN_ON(Add);

}  // namespace preceptor::kernels
