// Losses on labels and probabilities on cuda and on the emulated device: short rows share a block, a long row has one.
#include "kernels/cross_entropy/cross_entropy.h"

#include <algorithm>
#include <cmath>

#include "kernels/cross_entropy/entries.cuh"
#include "kernels/cross_entropy/label_loss.cuh"
#include "kernels/device/gpu.h"
#include "kernels/device/group.cuh"
#include "kernels/device/long_row.cuh"
#include "kernels/device/reduce.cuh"
#include "kernels/device/tile.cuh"

namespace preceptor::kernels {
namespace {

constexpr int long_row_blocks = 512;  // at most, where each must count the known labels
constexpr int sigmoid_threads = 256;  // per block, with
constexpr int sigmoid_groups = 4;     // pieces of a thread

// A row's largest logit, the sum of exp(logit - maximum) over all classes but the label, and the label's logit. The
// softmax alone is a row without a label.
struct RowSums {
  float maximum = no_logit, others = 0, label = 0;

  __device__ void add(float logit, bool is_label) {
    if (is_label)
      label = logit;
    else
      others += exp2f((logit - maximum) * log2_e);
  }
  __device__ void change_maximum(float to) {
    others *= exp2f((maximum - to) * log2_e);
    maximum = to;
  }
  // Maximum and sum in one pass over the logits; `label` is the label's index in them, if it is one of them.
  template <int count>
  __device__ void add_online(const float (&logits)[count], int label_index) {
    float now = maximum;
    for (int i = 0; i < count; ++i) now = fmaxf(now, logits[i]);
    change_maximum(now);
    for (int i = 0; i < count; ++i) add(logits[i], i == label_index);
  }
};

// A row's label: a class, or that the row is left out. Without labels every row counts.
template <bool labelled>
struct Label {
  bool known;
  int index;  // -1: none

  __device__ explicit Label(float stored)
      : known(!labelled || !std::isnan(stored)), index(labelled && known ? static_cast<int>(stored) : -1) {}
};

// A row whose sums are known: every class is on its own now.
template <bool labelled>
class Row {
 public:
  __device__ Row(const Label<labelled>& label, const RowSums& sums, float weight)
      : label_(label), maximum_(sums.maximum) {
    if constexpr (labelled) {
      if (label.known) result_ = LabelLoss(weight, sums.maximum, sums.label, sums.others);
    } else {
      result_.factor = 1 / sums.others;
    }
  }
  // The derivative by a class's logit, or its probability.
  __device__ float operator()(float logit, int index) const {
    if (!label_.known) return 0;
    return index == label_.index ? result_.label_gradient : result_.factor * exp2f((logit - maximum_) * log2_e);
  }
  __device__ float loss() const { return result_.loss; }

 private:
  Label<labelled> label_;
  float maximum_;
  LabelLoss result_;  // zeros in a row that is left out
};

__device__ inline float mean_weight(float weight, unsigned known) {
  return known > 0 ? weight / static_cast<float>(known) : 0;
}

// mapping: a block takes tiles of tile_rows neighboring rows, a group of `lanes` neighboring lanes one row at a time:
// the smallest power of two that holds all classes, 32 at most; bytes: logits read once, the result written, all in
// 16-byte pieces of the whole tile, whatever the number of classes; operations: about 20 per class, of them 2
// exponentials; hazard: the known labels of all rows are counted first, by every block: the only one counts those that
// it has staged, others read all labels, which are in L2 after the first. Results replace the logits in the tile,
// losses the labels: a lane writes what only its group reads, and had to read before the shuffles. Shared memory has no
// conflicts: up to 32 classes the rows of a warp are 32 words in a row, or fewer.
template <class T, bool labelled>
__global__ void __launch_bounds__(most_short_threads)
    short_rows(const SoftmaxCrossEntropy<T> a, int lanes, int tile_rows) {
  const int thread = static_cast<int>(threadIdx.x), threads = static_cast<int>(blockDim.x), lane = thread % lanes;
  T* const logits = dynamic_shared<T>();
  float* const label = reinterpret_cast<float*>(logits + tile_values<T>(tile_rows * a.classes));
  const bool alone = gridDim.x == 1 && a.rows <= tile_rows;
  unsigned known = 0;
  if (labelled && !alone) known = count_known(a.labels, a.rows);

  for (int first_row = static_cast<int>(blockIdx.x) * tile_rows; first_row < a.rows;
       first_row += static_cast<int>(gridDim.x) * tile_rows) {
    const int rows = min(tile_rows, a.rows - first_row);
    const std::size_t first = static_cast<std::size_t>(first_row) * a.classes;
    const Placement run(a.logits + first, rows * a.classes, same_alignment(a.logits, a.d_logits));
    stage(logits, a.logits + first, run);
    copy_async_commit();
    if (labelled)
      for (int row = thread; row < rows; row += threads) label[row] = a.labels[first_row + row];
    copy_async_wait<0>();
    __syncthreads();
    if (labelled && alone) known = count_known(label, rows);
    const float weight = mean_weight(a.weight, known);

    for (int next = 0; next < rows; next += threads / lanes) {
      const int row = next + thread / lanes;
      // Lanes without a row take part in the sums with nothing.
      const bool present = row < rows;
      const int classes = present ? a.classes : 0, begin = run.shift + row * a.classes;
      const Label<labelled> own(labelled && present ? label[row] : 0);
      RowSums sums;
      for (int i = lane; i < classes; i += lanes) sums.maximum = fmaxf(sums.maximum, to_float(logits[begin + i]));
      sums.maximum = reduce_lanes(sums.maximum, Maximum{}, lanes);
      for (int i = lane; i < classes; i += lanes) sums.add(to_float(logits[begin + i]), i == own.index);
      sums.others = reduce_lanes(sums.others, Sum{}, lanes);
      if (labelled) sums.label = reduce_lanes(sums.label, Sum{}, lanes);
      const float share = labelled && a.row_weights && present ? a.row_weights[first_row + row] : 1;
      const Row<labelled> result(own, sums, weight * share);
      for (int i = lane; i < classes; i += lanes)
        logits[begin + i] = from_float<T>(result(to_float(logits[begin + i]), i));
      if (labelled && lane == 0 && present) label[row] = result.loss();
    }
    __syncthreads();
    unstage(a.d_logits + first, logits, run);
    if (labelled)
      for (int row = thread; row < rows; row += threads) a.loss[first_row + row] = label[row];
    __syncthreads();
  }
}

// mapping: a block takes one row after the other, each thread every blockDim-th piece of 16 bytes; bytes: logits read
// once as far as the row fits on chip, twice beyond, the result written; operations: as above, and one exponential
// per piece for the maximum that moves; hazard: sums of exponentials relative to each thread's own maximum must be
// scaled to the row's before they are added. Of the two exchanges of a row each uses memory of its own, so that the
// barrier of one guards the other against the next row.
template <class T, bool labelled>
__global__ void __launch_bounds__(longest_row_block, 1) long_rows(const SoftmaxCrossEntropy<T> a, int resident_most) {
  SHARED(float, label, );
  const float weight = labelled ? mean_weight(a.weight, count_known(a.labels, a.rows)) : 1;
  for (int row = static_cast<int>(blockIdx.x); row < a.rows; row += static_cast<int>(gridDim.x)) {
    const std::size_t offset = static_cast<std::size_t>(row) * a.classes;
    const LongRow<T, 1> logits({a.logits + offset}, a.d_logits + offset, a.classes, resident_most);
    if (labelled) {  // read once, and not by every warp
      if (threadIdx.x == 0) label = a.labels[row];
      __syncthreads();
    }
    const Label<labelled> own(labelled ? label : 0);
    RowSums sums;
    logits.for_each([&](int first, const auto& x) { sums.add_online(x[0], own.index - first); });
    float maximum[1] = {sums.maximum};
    combine_block(maximum, Maximum{}, no_logit);
    sums.change_maximum(maximum[0]);
    float both[2] = {sums.others, sums.label};
    combine_block(both, Sum{}, 0.0f);
    sums.others = both[0];
    sums.label = both[1];

    const Row<labelled> result(own, sums, labelled && a.row_weights ? weight * a.row_weights[row] : weight);
    logits.for_each([&](int first, const auto& x) {
      constexpr int count = static_cast<int>(sizeof x[0] / sizeof(float));
      T values[count];
      for (int i = 0; i < count; ++i) values[i] = from_float<T>(result(x[0][i], first + i));
      logits.store(a.d_logits + offset + first, values);
    });
    if (labelled && threadIdx.x == 0) a.loss[row] = result.loss();
  }
}

template <bool labelled, class T>
void run_rows(Gpu gpu, const SoftmaxCrossEntropy<T>& a) {
  if (a.classes * sizeof(T) > short_row_bytes) {
    const int pieces = a.classes / Pack<T>::count, resident_most = std::min(pieces, cross_entropy_on_chip / 16);
    const int blocks = labelled ? std::min(a.rows, long_row_blocks) : a.rows;
    launch(gpu, long_rows<T, labelled>, blocks, long_row_threads(pieces), static_cast<std::size_t>(resident_most) * 16,
           a, resident_most);
    return;
  }
  const std::size_t row_bytes = sizeof(T) * a.classes + sizeof(float);
  ShortRows t = ShortRows::of<T>(a.rows, a.classes, row_bytes);
  if (labelled && static_cast<std::int64_t>(a.rows) * a.classes <= one_block_entries) {
    t.tile_rows = a.rows;
    t.threads = most_short_threads;
  }
  const std::int64_t tiles = steps(a.rows, t.tile_rows);
  const std::size_t shared = sizeof(T) * tile_values<T>(t.tile_rows * a.classes) + sizeof(float) * t.tile_rows;
  launch(gpu, short_rows<T, labelled>, labelled ? std::min<std::int64_t>(tiles, counting_blocks) : tiles, t.threads,
         shared, a, t.lanes, t.tile_rows);
}

// (1 - t) softplus(z) + t softplus(-z): no term is the small difference of large ones, exp() only of -|z|.
struct BinaryEntry {
  __device__ EntryLoss operator()(const float (&logits)[1], float target) const {
    const float z = logits[0], small = expf(-fabsf(z)), logarithm = log1pf(small);
    const float high = 1 / (1 + small), low = small * high;
    const float probability = z >= 0 ? high : low, complement = z >= 0 ? low : high;
    return {fmaf(1 - target, fmaxf(z, 0.0f) + logarithm, target * (fmaxf(-z, 0.0f) + logarithm)),
            fmaf(1 - target, probability, -target * complement)};
  }
};

__device__ inline float sigmoid_of(float z) {
  const float small = expf(-fabsf(z));
  return (z >= 0 ? 1 : small) / (1 + small);
}

// mapping: a thread takes some groups of neighboring values, blockDim apart, and the last block's threads one value
// each of what is left; bytes: logits read, probabilities written; operations: about 10 per value; hazard:
// probabilities may be the logits' memory: a thread reads a group before it writes there.
template <class T, class Group>
__global__ void __launch_bounds__(sigmoid_threads) sigmoid(const Sigmoid<T> a) {
  constexpr int width = Group::count;
  const std::int64_t whole = a.count - a.count % width;
  const std::int64_t begin =
      (static_cast<std::int64_t>(blockIdx.x) * sigmoid_groups * sigmoid_threads + threadIdx.x) * width;
  Group group[sigmoid_groups];
#pragma unroll
  for (int u = 0; u < sigmoid_groups; ++u)
    if (const std::int64_t i = begin + u * sigmoid_threads * width; i < whole)
      group[u] = load_group<Group>(a.logits + i);
#pragma unroll
  for (int u = 0; u < sigmoid_groups; ++u)
    if (const std::int64_t i = begin + u * sigmoid_threads * width; i < whole) {
      for (int j = 0; j < width; ++j) group[u].value[j] = from_float<T>(sigmoid_of(to_float(group[u].value[j])));
      store_group(a.probabilities + i, group[u]);
    }
  if (const std::int64_t i = whole + threadIdx.x; blockIdx.x == gridDim.x - 1 && i < a.count)
    a.probabilities[i] = from_float<T>(sigmoid_of(to_float(a.logits[i])));
}

}  // namespace

template <class T>
void run_on(Gpu gpu, const SoftmaxCrossEntropy<T>& a) {
  run_rows<true>(gpu, a);
}
INSTANTIATE_RUN_ON(SoftmaxCrossEntropy);

template <class T>
void run_on(Gpu gpu, const Softmax<T>& a) {
  run_rows<false>(gpu, SoftmaxCrossEntropy<T>{a.logits, nullptr, nullptr, a.probabilities, a.rows, a.classes, 1});
}
INSTANTIATE_RUN_ON(Softmax);

template <class T>
void run_on(Gpu gpu, const BinaryCrossEntropy<T>& a) {
  run_entries(
      gpu, EntryLosses<T, 1, BinaryEntry>{{a.logits}, a.targets, a.loss, a.d_logits, a.rows, a.labels, a.weight, {}});
}
INSTANTIATE_RUN_ON(BinaryCrossEntropy);

template <class T>
void run_on(Gpu gpu, const Sigmoid<T>& a) {
  with_group<T>(aligned16(a.logits, a.probabilities), [&](auto group) {
    using Group = decltype(group);
    const std::int64_t blocks = steps(a.count, sigmoid_threads * sigmoid_groups * Group::count);
    launch(gpu, sigmoid<T, Group>, blocks, sigmoid_threads, 0, a);
  });
}
INSTANTIATE_RUN_ON(Sigmoid);

}  // namespace preceptor::kernels
